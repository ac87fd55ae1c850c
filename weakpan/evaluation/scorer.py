"""Scores of predictions against ground truth, as the Cityscapes benchmark computes them."""

from __future__ import annotations

from typing import NamedTuple

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
from weakpan.evaluation.statistics import PerImage, Scores, mean_defined


class _ImageStatistics(NamedTuple):
    """All that is kept of an image: 2 to 5 kB for the 19 classes of Cityscapes.

    `pixels` is of `count_pixels`, `segments` of `match_segments`, `instances` of `match_instances`, empty without AP.
    """

    pixels: Ints
    segments: npt.NDArray[np.float64]
    instances: InstanceMatches


class PanopticScorer:
    """Collects predictions beside ground truth and computes PQ, mIoU and AP, which is nan without `with_ap`.

    Every process may fill its own and send it (it can be pickled) to one that merges them. The result depends on the
    set of images alone, to the last bit.
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
        self._images.add(image_id, _ImageStatistics(pixels, match_segments(overlaps, self.catalog), instances))

    def merge(self, other: PanopticScorer) -> None:
        """Take over the images of another scorer; an image in both counts once.

        Raises:
            ValueError: a scorer with another class table or another setting of `with_ap`.
        """
        if (self.catalog, self.with_ap) != (other.catalog, other.with_ap):
            raise ValueError("only scorers with the same class table and the same setting of with_ap can be merged")
        self._images.merge(other._images)

    def result(self) -> Scores:
        """Scores of all images entered so far, each 0..1; all nan without any.

        Returns:
            Means over the classes that have a score: `miou`, the IoU of their pixels; `pq`, `sq` and `rq`, panoptic,
            segmentation and recognition quality, also over things and stuff alone (`pq_things`, `pq_stuff`, ...); `ap`,
            the average precision of things over the IoU thresholds .5, .55, ... .95, and `ap50`. The columns are `iou`,
            `pq`, `sq`, `rq`, `ap` and `ap50`.
        """
        images = self._images.ordered()
        size = self.catalog.num_classes
        iou = intersection_over_union(sum((image.pixels for image in images), np.zeros((size, 4), np.int64)))
        quality = panoptic_quality(sum((image.segments for image in images), np.zeros((size, 4))))
        precision = average_precision(join_matches([image.instances for image in images], size))
        kinds = {"": slice(None), "_things": list(self.catalog.thing_ids), "_stuff": list(self.catalog.stuff_ids)}
        qualities = quality._asdict()
        means = {f"{key}{kind}": mean_defined(qualities[key][ids]) for kind, ids in kinds.items() for key in qualities}
        average = {"ap": mean_defined(precision), "ap50": mean_defined(precision[:, 0])}
        columns = {"iou": iou, **qualities, "ap": precision.mean(axis=1), "ap50": precision[:, 0]}
        return Scores(len(images), {"miou": mean_defined(iou), **means, **average}, columns, self.catalog.names)
