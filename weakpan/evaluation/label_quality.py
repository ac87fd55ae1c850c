"""How good pseudo labels are, measured on images whose ground truth are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.boxes import number_boxes
from weakpan.data.ground_truth import GroundTruth
from weakpan.evaluation.mean_iou import count_overlaps, intersection_over_union
from weakpan.evaluation.overlaps import Ints, SegmentOverlaps, label_overlaps
from weakpan.evaluation.panoptic_quality import match_segments, panoptic_quality
from weakpan.evaluation.statistics import PerImage, Scores, mean_defined, ratio
from weakpan.labels.store import LabelStore


class _ImageStatistics(NamedTuple):
    """`pixels` is of `count_overlaps`, `segments` of `match_segments`, `boxes` the boxes and those without a mask."""

    pixels: Ints
    segments: npt.NDArray[np.float64]
    boxes: Ints


class LabelQuality:
    """Collects pseudo labels beside ground truth; adding and merging work as in PanopticScorer."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._images: PerImage[_ImageStatistics] = PerImage()

    def add(
        self,
        image_id: str,
        semantic: SemanticMap,
        instances: InstanceMap,
        truth: PanopticTruth,
        boxes: Sequence[Box] = (),
    ) -> None:
        """Enter the labels of one image.

        Args:
            image_id: unique among the images entered.
            semantic: (H, W) train ids, 255 unlabelled.
            instances: (H, W) int32. Where `semantic` is a class of things, k >= 1 is the box to which `number_boxes`
                gives k; 0 (no instance) and -1 (several claim the pixel) belong to no segment and count for the
                semantic figures only. Elsewhere the values do not matter.
            truth: (H, W) ground truth.
            boxes: the weak annotation of the image, in its order.

        Raises:
            DataError: an image entered before, maps of different sizes or a class outside the class table; each names
                the image.
        """
        overlaps = label_overlaps(image_id, semantic, instances, truth, self.catalog)
        statistics = _ImageStatistics(
            pixels=count_overlaps(overlaps, self.catalog.num_classes),
            segments=match_segments(_without_loose_pixels(overlaps, self.catalog), self.catalog),
            boxes=_count_boxes(overlaps, boxes),
        )
        self._images.add(image_id, statistics)

    def merge(self, other: LabelQuality) -> None:
        """Take over the images of another collection; an image in both counts once.

        Raises:
            ValueError: another class table.
        """
        if self.catalog != other.catalog:
            raise ValueError("only label qualities with the same class table can be merged")
        self._images.merge(other._images)

    def result(self) -> dict[str, Any]:
        """The figures as JSON can hold them, shares and scores 0..1, None where nothing can be said.

        Returns:
            `images`; `labelled`, the share of the pixels with a real label that carry a pseudo label; `accuracy`, the
            share of these that are right; `miou` over pixels with a real label, where an unlabelled one is a miss;
            `pq`; `boxes`, the number of distinct instance boxes; `boxes_without_mask`, those of them without a pixel;
            and `per_class`, by name: `labelled` (share of the class's real pixels with any pseudo label), `precision`,
            `recall`, `iou` and `pq`.
        """
        images = self._images.ordered()
        size = self.catalog.num_classes
        pixels = sum((image.pixels for image in images), np.zeros((size, 4), np.int64))
        boxes = sum((image.boxes for image in images), np.zeros(2, np.int64))
        true, answered, predicted, right = pixels.T
        total, total_answered, _, total_right = pixels.sum(axis=0, keepdims=True).T
        columns = {
            "labelled": ratio(answered, true),
            "precision": ratio(right, predicted),
            "recall": ratio(right, true),
            "iou": intersection_over_union(pixels),
            "pq": panoptic_quality(sum((image.segments for image in images), np.zeros((size, 4)))).pq,
        }
        means = {
            "labelled": float(ratio(total_answered, total)[0]),
            "accuracy": float(ratio(total_right, total_answered)[0]),
            "miou": mean_defined(columns["iou"]),
            "pq": mean_defined(columns["pq"]),
        }
        scores = Scores(len(images), means, columns, self.catalog.names).as_dict()
        return {**scores, "boxes": int(boxes[0]), "boxes_without_mask": int(boxes[1])}


def _without_loose_pixels(overlaps: SegmentOverlaps, catalog: Catalog) -> SegmentOverlaps:
    """The overlaps with pixels of things that belong to no instance counted as unlabelled."""
    loose = catalog.is_thing[overlaps.predicted_class] & (overlaps.predicted_number < 1)
    return replace(overlaps, predicted_class=np.where(loose, IGNORE, overlaps.predicted_class))


def _count_boxes(overlaps: SegmentOverlaps, boxes: Sequence[Box]) -> Ints:
    labelled = set(zip(overlaps.predicted_class.tolist(), overlaps.predicted_number.tolist(), strict=True))
    instances = [
        (entry.box.class_id, entry.instance_id) for entry in number_boxes(boxes) if entry.box.kind is BoxKind.INSTANCE
    ]
    return np.array([len(instances), sum(instance not in labelled for instance in instances)], np.int64)


def score_stored_labels(images: Iterable[ImageAnnotation], truth: GroundTruth, store: LabelStore) -> LabelQuality:
    """Hold the stored pseudo labels of images, all of which have ground truth, against it."""
    quality = LabelQuality(truth.catalog)
    for image in images:
        labels = store.read(image.image_id)
        real = truth.panoptic(image.image_id)
        quality.add(image.image_id, labels.semantic, labels.instances, real, image.boxes)
    return quality
