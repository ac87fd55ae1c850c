"""Panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR 2019, equation 1) with the rules of Cityscapes.

A predicted and a true segment of the same class match if their IoU exceeds 0.5; ignored pixels do not count in the
union. Group regions are never matched and never missed. An unmatched prediction is not held against the class if more
than half of it lies on ignored pixels and on the group region of its class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import Catalog
from weakpan.evaluation.overlaps import SegmentOverlaps
from weakpan.evaluation.statistics import ratio


class PanopticQuality(NamedTuple):
    """Scores by class, each (C,) float64 in 0..1; nan for a class with neither true nor predicted segments.

    A class with segments but no match scores 0 in all three and counts in averages, as in Cityscapes.

    Attributes:
        pq: panoptic quality.
        sq: segmentation quality, the mean IoU of matched segments.
        rq: recognition quality, the F1 score of the matching.
    """

    pq: npt.NDArray[np.float64]
    sq: npt.NDArray[np.float64]
    rq: npt.NDArray[np.float64]


def match_segments(overlaps: SegmentOverlaps, catalog: Catalog) -> npt.NDArray[np.float64]:
    """Match the segments of one image.

    Returns:
        (C, 4) float64 by class: sum of the IoU of matches, true positives, false positives, false negatives. The
        counts of several images may be added.
    """
    truth_class, predicted_class, pixels = overlaps.truth_class, overlaps.predicted_class, overlaps.pixels
    group = catalog.is_thing[truth_class] & (overlaps.truth_number == 0)
    segment = (truth_class != IGNORE) & ~group
    same_class = truth_class[:, None] == predicted_class
    ignored = pixels[truth_class == IGNORE].sum(axis=0)
    predicted_area = pixels.sum(axis=0)

    union = pixels.sum(axis=1, keepdims=True) + (predicted_area - ignored) - pixels
    iou = np.zeros(pixels.shape)
    np.divide(pixels, union, out=iou, where=same_class & segment[:, None] & (predicted_class != IGNORE))
    matched = iou > 0.5

    excused = ignored + (pixels * (same_class & group[:, None])).sum(axis=0)
    counted = (excused <= 0.5 * predicted_area) & (predicted_class != IGNORE)
    false_positive = counted & ~matched.any(axis=0)
    false_negative = segment & ~matched.any(axis=1)
    true, _ = np.nonzero(matched)
    size = catalog.num_classes
    return np.stack(
        [
            np.bincount(truth_class[true], weights=iou[matched], minlength=size),
            np.bincount(truth_class[true], minlength=size),
            np.bincount(predicted_class[false_positive], minlength=size),
            np.bincount(truth_class[false_negative], minlength=size),
        ],
        axis=1,
    )


def panoptic_quality(matches: npt.NDArray[np.float64]) -> PanopticQuality:
    """PQ, SQ and RQ by class from the summed counts of `match_segments`, (C, 4)."""
    iou_sum, true_positives, false_positives, false_negatives = matches.T
    halves = true_positives + 0.5 * false_positives + 0.5 * false_negatives
    occurs = halves > 0
    quality_of_matches = np.where(occurs & (true_positives == 0), 0.0, ratio(iou_sum, true_positives))
    return PanopticQuality(ratio(iou_sum, halves), quality_of_matches, ratio(true_positives, halves))
