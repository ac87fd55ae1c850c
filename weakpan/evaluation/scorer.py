"""Scores of predictions against ground truth, as the Cityscapes benchmark computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticMap, PanopticTruth
from weakpan.evaluation.average_precision import InstanceMatches, average_precision, join_matches, match_instances
from weakpan.evaluation.mean_iou import count_overlaps, count_pixels, intersection_over_union
from weakpan.evaluation.overlaps import (
    Ints,
    check_classes,
    check_sizes,
    distinct_pixels,
    prediction_overlaps,
)
from weakpan.evaluation.panoptic_quality import match_segments, panoptic_quality
from weakpan.evaluation.statistics import PerImage, mean_defined, or_none


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, each 0..1; nan where the class occurs nowhere, or AP does not apply.

    Attributes:
        iou: intersection over union of its pixels.
        pq: panoptic quality.
        sq: segmentation quality.
        rq: recognition quality.
        ap: average precision over the IoU thresholds .5, .55, ... .95; things only.
        ap50: average precision at the threshold .5; things only.
    """

    iou: float
    pq: float
    sq: float
    rq: float
    ap: float
    ap50: float


@dataclass(frozen=True)
class Scores:
    """Scores of a set of images, each 0..1: means over the classes that have one; nan if none has.

    Attributes:
        images: number of images.
        miou: mean IoU.
        pq: mean panoptic quality; sq and rq likewise.
        sq: mean segmentation quality.
        rq: mean recognition quality.
        pq_things: mean over the classes of things; the five fields below likewise, by kind of class.
        sq_things: see pq_things.
        rq_things: see pq_things.
        pq_stuff: see pq_things.
        sq_stuff: see pq_things.
        rq_stuff: see pq_things.
        ap: mean average precision of things.
        ap50: mean average precision of things at the IoU threshold .5.
        per_class: by class name, in the order of the class table.
    """

    images: int
    miou: float
    pq: float
    sq: float
    rq: float
    pq_things: float
    sq_things: float
    rq_things: float
    pq_stuff: float
    sq_stuff: float
    rq_stuff: float
    ap: float
    ap50: float
    per_class: Mapping[str, ClassScores]

    def as_dict(self) -> dict[str, Any]:
        """The fields by name as JSON can hold them: None for nan, `per_class` a dictionary of dictionaries."""
        values: dict[str, Any] = {
            name: or_none(value) for name, value in vars(self).items() if name not in ("images", "per_class")
        }
        per_class = {
            name: {field: or_none(value) for field, value in vars(scores).items()}
            for name, scores in self.per_class.items()
        }
        return {"images": self.images, **values, "per_class": per_class}


class _ImageStatistics(NamedTuple):
    """All that is kept of an image: 2 to 5 kB for the 19 classes of Cityscapes.

    `pixels` is of `count_pixels`, `segments` of `match_segments`; the rest are the fields of InstanceMatches, empty
    without AP.
    """

    pixels: Ints
    segments: npt.NDArray[np.float64]
    truths: Ints
    class_ids: Ints
    scores: npt.NDArray[np.float64]
    iou: npt.NDArray[np.float64]
    excuse: npt.NDArray[np.float64]


class PanopticScorer:
    """Collects predictions beside ground truth and computes PQ, mIoU and AP.

    Every process may fill its own and send it (it can be pickled) to one that merges them. The result depends on the
    set of images alone, to the last bit.

    Args:
        catalog: class table of predictions and truth.
        with_ap: compute AP; without it the fields are nan.
    """

    def __init__(self, catalog: Catalog, with_ap: bool = True) -> None:
        self.catalog = catalog
        self.with_ap = with_ap
        self._images: PerImage[_ImageStatistics] = PerImage()

    def add(
        self,
        image_id: str,
        prediction: PanopticMap,
        truth: PanopticTruth,
        semantic_prediction: SemanticMap | None = None,
    ) -> None:
        """Enter one image.

        Args:
            image_id: unique among the images of this scorer.
            prediction: (H, W); its ids and the list of its segments must agree.
            truth: (H, W). Instance numbers on ignored pixels matter to AP only, see `average_precision`.
            semantic_prediction: (H, W) train ids for the IoU, 255 nothing predicted; by default the classes of the
                panoptic prediction. Pixels without a prediction are wrong.

        Raises:
            DataError: an image entered before, maps of different sizes, a class outside the class table, or a segment
                list at odds with its map; each names the image.
        """
        overlaps = prediction_overlaps(image_id, prediction, truth, self.catalog)
        if semantic_prediction is None:
            pixels = count_overlaps(overlaps, self.catalog.num_classes)
        else:
            check_sizes(image_id, truth, {"semantic prediction": semantic_prediction})
            (true, predicted), number = distinct_pixels(truth.semantic, semantic_prediction)
            check_classes(image_id, "semantic prediction", predicted, self.catalog)
            pixels = count_pixels(true, predicted, number, self.catalog.num_classes)
        if self.with_ap:
            instances = match_instances(overlaps, prediction.segments, self.catalog)
        else:
            instances = join_matches([], self.catalog.num_classes)
        self._images.add(image_id, _ImageStatistics(pixels, match_segments(overlaps, self.catalog), *instances))

    def merge(self, other: PanopticScorer) -> None:
        """Take over the images of another scorer; an image in both counts once.

        Raises:
            ValueError: a scorer with another class table or another setting of `with_ap`.
        """
        if (self.catalog, self.with_ap) != (other.catalog, other.with_ap):
            raise ValueError("only scorers with the same class table and the same setting of with_ap can be merged")
        self._images.merge(other._images)

    def result(self) -> Scores:
        """Scores of all images entered so far; all nan without any."""
        images = self._images.ordered()
        size = self.catalog.num_classes
        iou = intersection_over_union(sum((image.pixels for image in images), np.zeros((size, 4), np.int64)))
        quality = panoptic_quality(sum((image.segments for image in images), np.zeros((size, 4))))
        matches = [InstanceMatches(*image[2:]) for image in images]
        precision = average_precision(join_matches(matches, size))
        kinds = {
            "": slice(None),
            "_things": list(self.catalog.thing_ids),
            "_stuff": list(self.catalog.stuff_ids),
        }
        means = {
            name + kind: mean_defined(values[ids])
            for name, values in quality._asdict().items()
            for kind, ids in kinds.items()
        }
        rows = zip(iou, *quality, precision.mean(axis=1), precision[:, 0], strict=True)
        return Scores(
            images=len(images),
            miou=mean_defined(iou),
            **means,
            ap=mean_defined(precision),
            ap50=mean_defined(precision[:, 0]),
            per_class={name: ClassScores(*map(float, row)) for name, row in zip(self.catalog.names, rows, strict=True)},
        )
