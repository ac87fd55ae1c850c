"""Average precision of instances with the rules of the Cityscapes instance-level evaluation.

Instances under 100 pixels and group regions are not asked for: who finds one is neither praised nor blamed. Nor is a
prediction blamed at threshold t if more than a share t of it lies on ignored pixels, on the group region of its class
and on such small instances. Two facts of the official code are kept, for equal numbers: a group region under 100
pixels counts twice in that share, and instances of ignored classes of things (a caravan, say) do not count as ignored
pixels. The latter needs a truth that keeps instance numbers where its semantic map is 255; pixels with number 0 there
are ignored pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import Segment
from weakpan.evaluation.overlaps import Ints, SegmentOverlaps
from weakpan.evaluation.statistics import ratio

# The expression of the official code: its thresholds are not the nearest floats to .55, .6, ...
IOU_THRESHOLDS: npt.NDArray[np.float64] = np.arange(0.5, 1.0, 0.05)
"""(10,) an instance is found if the IoU exceeds the threshold; the first is that of AP50."""

MIN_INSTANCE_PIXELS = 100
"""Smaller true instances are left out."""


class InstanceMatches(NamedTuple):
    """What AP needs to know of one image or, joined, of several.

    Attributes:
        truths: (C,) int64 number of true instances that are asked for.
        class_ids: (N,) int64 train ids of the predicted instances.
        scores: (N,) float64 confidences.
        right: (N, 10) bool, whether it finds an instance at each of `IOU_THRESHOLDS`.
        wrong: (N, 10) bool, whether it is a false positive; what is neither right nor wrong is excused.
    """

    truths: Ints
    class_ids: Ints
    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]


def match_instances(overlaps: SegmentOverlaps, segments: Sequence[Segment], catalog: Catalog) -> InstanceMatches:
    """Compare the predicted instances of one image, whose scores their segments give, with the true ones."""
    instances = catalog.is_thing[overlaps.predicted_class]
    class_ids, all_pixels = overlaps.predicted_class[instances], overlaps.pixels[:, instances]
    area = overlaps.pixels.sum(axis=1, keepdims=True)
    group = overlaps.truth_number == 0
    small = area[:, 0] < MIN_INSTANCE_PIXELS
    wanted = catalog.is_thing[overlaps.truth_class] & ~group & ~small

    shared = np.where(overlaps.truth_class[:, None] == class_ids, all_pixels, 0)
    predicted_area = all_pixels.sum(axis=0)
    # Predictions do not overlap and the thresholds are at least one half, so no instance can be found twice.
    iou = shared / (area + predicted_area - shared)
    ignored = all_pixels[(overlaps.truth_class == IGNORE) & group].sum(axis=0)
    ignored = ignored + shared[group].sum(axis=0) + shared[small].sum(axis=0)
    score_of = {segment.segment_id: segment.score for segment in segments}
    return InstanceMatches(
        truths=np.bincount(overlaps.truth_class[wanted], minlength=catalog.num_classes),
        class_ids=class_ids,
        scores=np.array([score_of[int(i)] for i in overlaps.predicted_number[instances]], np.float64),
        right=iou[wanted].max(axis=0, initial=0.0)[:, None] > IOU_THRESHOLDS,
        wrong=np.maximum(iou.max(axis=0, initial=0.0), ignored / predicted_area)[:, None] <= IOU_THRESHOLDS,
    )


def join_matches(images: Sequence[InstanceMatches], num_classes: int) -> InstanceMatches:
    """The matches of several images as one; of none, empty ones over `num_classes` classes."""
    if not images:
        truths, ids, never = np.zeros(num_classes, np.int64), np.zeros(0, np.int64), np.zeros((0, 10), np.bool_)
        return InstanceMatches(truths, ids, np.zeros(0), never, never)
    truths = np.sum([image.truths for image in images], axis=0)
    columns = [np.concatenate(column) for column in zip(*(image[1:] for image in images), strict=True)]
    return InstanceMatches(truths, *columns)


def average_precision(matches: InstanceMatches) -> npt.NDArray[np.float64]:
    """AP by class and threshold.

    Returns:
        (C, 10) float64 in 0..1 over `IOU_THRESHOLDS`; a row of nan for a class (stuff among them) without any true
        instance that is asked for, 0 for one without predictions.
    """
    result = np.full((len(matches.truths), len(IOU_THRESHOLDS)), np.nan)
    for class_id in np.flatnonzero(matches.truths):
        chosen = matches.class_ids == class_id
        scores, right, wrong = matches.scores[chosen], matches.right[chosen].T, matches.wrong[chosen].T
        result[class_id] = [
            _area_under_curve(scores[found], scores[false], int(matches.truths[class_id]))
            for found, false in zip(right, wrong, strict=True)
        ]
    return result


def _area_under_curve(right: npt.NDArray[np.float64], wrong: npt.NDArray[np.float64], truths: int) -> float:
    """Trapezoids under precision over recall, one point a distinct score of either, from (0, 1) on."""
    cuts = np.unique(np.concatenate([right, wrong]))[::-1]
    true_positives = len(right) - np.searchsorted(np.sort(right), cuts)
    false_positives = len(wrong) - np.searchsorted(np.sort(wrong), cuts)
    precision = np.concatenate([[1.0], ratio(true_positives, true_positives + false_positives)])
    recall = np.concatenate([[0.0], true_positives / truths])
    return float(np.trapezoid(precision, recall))
