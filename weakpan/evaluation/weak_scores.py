"""Scores without masks: what boxes and tags of images that were not trained on say of predictions.

Whoever has nothing but boxes and tags can tell by these whether a model got better, and choose among settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticMap
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.evaluation.average_precision import (
    IOU_THRESHOLDS,
    MIN_INSTANCE_PIXELS,
    InstanceMatches,
    average_precision,
    join_matches,
)
from weakpan.evaluation.statistics import PerImage, Scores, mean_defined, ratio
from weakpan.evaluation.tag_scores import average_precision as precision_of_tags

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def match_boxes(prediction: PanopticMap, boxes: Sequence[Box], catalog: Catalog) -> InstanceMatches:
    """Compare the boxes around predicted things with annotated ones.

    As COCO does: predictions choose, surest first, the annotated box of their class that is still free and overlaps
    most. Crowds, and boxes of fewer than `MIN_INSTANCE_PIXELS`, are not asked for, and excuse predictions in them.
    """
    things = sorted(
        (s for s in prediction.segments if catalog.is_thing[s.class_id]), key=lambda s: (-s.score, s.segment_id)
    )
    around = _boxes_around(prediction, [s.segment_id for s in things])
    thresholds = len(IOU_THRESHOLDS)
    found, excused = (np.zeros((len(things), thresholds), bool) for _ in range(2))
    of_things = [box for box in boxes if box.kind is not BoxKind.STUFF]
    asked = [b for b in of_things if b.kind is BoxKind.INSTANCE and b.area >= MIN_INSTANCE_PIXELS]
    others = [b for b in of_things if not (b.kind is BoxKind.INSTANCE and b.area >= MIN_INSTANCE_PIXELS)]
    for class_id in {s.class_id for s in things}:
        mine = [k for k, s in enumerate(things) if s.class_id == class_id]
        iou = _overlaps(around[mine], [b for b in asked if b.class_id == class_id])[0]
        left_out_iou, inside = _overlaps(around[mine], [b for b in others if b.class_id == class_id])
        excuse = np.maximum(left_out_iou, inside).max(axis=1, initial=0.0)
        for column, threshold in enumerate(IOU_THRESHOLDS):
            free = np.ones(iou.shape[1], bool)
            for row, place in enumerate(mine):
                best = int(np.where(free, iou[row], -1).argmax()) if free.any() else -1
                if best >= 0 and iou[row, best] > threshold:
                    free[best], found[place, column] = False, True
                else:
                    excused[place, column] = excuse[row] > threshold
    truths = np.bincount(np.array([b.class_id for b in asked], np.int64), minlength=catalog.num_classes)
    class_ids = np.array([s.class_id for s in things], np.int64)
    scores = np.array([s.score for s in things], np.float64)
    return InstanceMatches(truths, class_ids, scores, found, ~found & ~excused)


def _boxes_around(prediction: PanopticMap, numbers: Sequence[int]) -> Floats:
    """(N, 4) left, top, right and bottom of segments, the last two exclusive."""
    found = ndimage.find_objects(prediction.ids)
    around = [(x.start, y.start, x.stop, y.stop) for y, x in (found[number - 1] for number in numbers)]
    return np.array(around, np.float64).reshape(-1, 4)


def _overlaps(predicted: Floats, boxes: Sequence[Box]) -> tuple[Floats, Floats]:
    """(N, M) IoU of boxes, and the share of each predicted one that lies inside."""
    annotated = np.array([(b.xmin, b.ymin, b.xmax + 1, b.ymax + 1) for b in boxes], np.float64).reshape(-1, 4)
    low = np.maximum(predicted[:, None, :2], annotated[None, :, :2])
    high = np.minimum(predicted[:, None, 2:], annotated[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas, others = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (predicted, annotated))
    return shared / (areas[:, None] + others - shared), shared / areas[:, None]


class _ImageStatistics(NamedTuple):
    """All that is kept of an image: `peaks`, `tags` and `has` are (T, C), `loss` is (2,), sum and pixels."""

    peaks: npt.NDArray[np.float32]
    tags: Bools
    has: Bools
    loss: Floats
    boxes: InstanceMatches


class WeakScorer:
    """Collects what boxes and tags say of predictions; the result depends on the set of images alone."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._images: PerImage[_ImageStatistics] = PerImage()

    def add(
        self,
        annotation: ImageAnnotation,
        peaks: npt.NDArray[np.float32],
        has: Bools,
        loss: tuple[float, int],
        prediction: PanopticMap,
    ) -> None:
        """Enter one image.

        Args:
            annotation: boxes and tags.
            peaks: (T, C) greatest probability of each class in each crop.
            has: (T, C) whether a class was predicted in a crop.
            loss: sum over pixels of the negative logarithm of the probability of their candidates, and their number.
            prediction: (H, W).

        Raises:
            DataError: an image entered before.
        """
        tags = annotation.tag_matrix(self.catalog.num_classes)
        boxes = match_boxes(prediction, annotation.boxes, self.catalog)
        self._images.add(annotation.image_id, _ImageStatistics(peaks, tags, has, np.array(loss, np.float64), boxes))

    def merge(self, other: WeakScorer) -> None:
        """Take over the images of another scorer; an image in both counts once."""
        self._images.merge(other._images)

    def result(self) -> Scores:
        """Scores of all images entered so far, each but the loss 0..1; all nan without any.

        Returns:
            Means over classes, and their columns: `tag_ap`, the average precision with which the greatest probability
            in a crop tells its tags; `tags_satisfied`, the share of tags whose class was predicted in the crop;
            `tags_true`, the share of crops with a predicted class that are tagged with it; `box_ap`, the average
            precision of boxes around predicted things over the IoU thresholds .5, .55, ... .95, and `box_ap50`. And
            `candidate_loss`, a mean over pixels that tags and boxes leave any class: the negative logarithm of the
            probability of all classes that they leave, 0 or larger, the smaller the better.
        """
        images, size = self._images.ordered(), self.catalog.num_classes
        peaks, tags, has = (
            np.concatenate([np.zeros((0, size), kind), *(getattr(i, name) for i in images)])
            for name, kind in (("peaks", np.float32), ("tags", bool), ("has", bool))
        )
        tag_ap = [precision_of_tags(peaks[:, c], tags[:, c]) if tags[:, c].any() else np.nan for c in range(size)]
        both = (tags & has).sum(axis=0)
        box_ap = average_precision(join_matches([image.boxes for image in images], size))
        loss, pixels = sum((image.loss for image in images), np.zeros(2)).tolist()
        columns = {
            "tag_ap": np.array(tag_ap),
            "tags_satisfied": ratio(both, tags.sum(axis=0)),
            "tags_true": ratio(both, has.sum(axis=0)),
            "box_ap": box_ap.mean(axis=1),
            "box_ap50": box_ap[:, 0],
        }
        means = {name: mean_defined(values) for name, values in columns.items()}
        means["candidate_loss"] = loss / pixels if pixels else float("nan")
        return Scores(len(images), means, columns, self.catalog.names)
