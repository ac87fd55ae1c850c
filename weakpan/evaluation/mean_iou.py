"""Pixel counts by class and the IoU made of them, with the rules of the Cityscapes pixel-level evaluation.

Ignored pixels of the truth count nowhere; a pixel without a prediction is a miss of its true class.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE
from weakpan.evaluation.overlaps import Ints, SegmentOverlaps
from weakpan.evaluation.statistics import ratio


def count_pixels(truth: Ints, predicted: Ints, pixels: Ints, num_classes: int) -> Ints:
    """Count pixels by class.

    Args:
        truth: (N,) train ids, 255 ignored.
        predicted: (N,) train ids, 255 nothing predicted.
        pixels: (N,) number of pixels with this truth and this prediction.
        num_classes: C.

    Returns:
        (C, 4) int64, of the pixels that are not ignored: those of this class, those of this class with any prediction,
        those predicted as this class, those of this class predicted rightly. Counts of several images may be added.
    """
    valid = truth != IGNORE
    answered = valid & (predicted != IGNORE)
    right = answered & (truth == predicted)
    selections = ((truth, valid), (truth, answered), (predicted, answered), (truth, right))
    counts = [np.bincount(ids[chosen], weights=pixels[chosen], minlength=num_classes) for ids, chosen in selections]
    return np.stack(counts, axis=1).astype(np.int64)


def count_overlaps(overlaps: SegmentOverlaps, num_classes: int) -> Ints:
    """The counts of `count_pixels`, (C, 4), from the overlaps of segments."""
    true, predicted = np.nonzero(overlaps.pixels)
    pixels = overlaps.pixels[true, predicted]
    return count_pixels(overlaps.truth_class[true], overlaps.predicted_class[predicted], pixels, num_classes)


def intersection_over_union(counts: Ints) -> npt.NDArray[np.float64]:
    """IoU by class, (C,), from the counts of `count_pixels`; nan for a class in neither truth nor prediction."""
    true, _, predicted, right = counts.T
    return ratio(right, true + predicted - right)
