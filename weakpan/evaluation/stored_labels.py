"""Label quality of some images of a store: the unit of work that processes share (clear of torch, for their sake)."""

from __future__ import annotations

from collections.abc import Iterable

from weakpan.data.annotations import ImageAnnotation
from weakpan.data.cityscapes import CityscapesSplit
from weakpan.evaluation.label_quality import LabelQuality
from weakpan.labels.store import LabelStore


def score_stored_labels(images: Iterable[ImageAnnotation], split: CityscapesSplit, store: LabelStore) -> LabelQuality:
    """Hold the stored pseudo labels of images against their real labels.

    Args:
        images: weak annotations of the images, all of which have real labels in `split`.
        split: real labels.
        store: pseudo labels.
    """
    quality = LabelQuality(split.catalog)
    for image in images:
        labels = store.read(image.image_id)
        truth = split.truth(image.image_id)
        quality.add(image.image_id, labels.semantic, labels.instances, truth, image.boxes)
    return quality
