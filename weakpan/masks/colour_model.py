"""A colour model of one box: a few colours, counted in and around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import FloatMap
from weakpan.masks.region import Region, elliptic_radius

_Indices = npt.NDArray[np.intp]

# More colours, more pixels to find them from, and more rounds of counting change next to nothing.
_COLOURS = 48
_SAMPLE = 1024
_SWEEPS = 6
_ROUNDS = 3
# Counted on top of the pixels of every colour, so that one seen in a pixel or two proves nothing.
_UNSEEN = 0.5
# Log odds of a colour are cut off here: an object may share any colour with what is around it.
_SUREST = 3.0


def colour_odds(region: Region, steepness: float, radius: float) -> FloatMap:
    """Log odds that pixels are the object, from how often their colour occurs in the box and around it.

    Where GrabCut says yes or no, this says how much. The region is drawn in 48 colours (k-means in Lab). A pixel of the
    box is the object with a probability that falls from its middle outwards, one beside it with none; so many pixels of
    each colour are the object's, so many are not, and their ratio corrects the probabilities of the pixels in turn, a
    few times: expectation maximisation of two histograms. The random generator of OpenCV is seeded, so that equal input
    gives equal odds.

    Args:
        region: the box with its surroundings.
        steepness: log odds for a step of 1 in elliptic radius, from which counting starts, at least 0.
        radius: elliptic radius at which they are 0.

    Returns:
        (h, w) float32 in the region's resolution, -3..3; 0 where the box has no surroundings to compare with.
    """
    height, width = region.shape
    prior = np.full(region.shape, -np.inf, np.float32)
    prior[region.rows, region.cols] = steepness * (radius - elliptic_radius(*region.inner_shape))
    start = prior.ravel()
    if np.isfinite(start).all():
        return np.zeros(region.shape, np.float32)
    colour = _colours(cv2.cvtColor(region.pixels, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32))
    odds = np.zeros(_COLOURS, np.float64)
    for _ in range(_ROUNDS):
        ours = 1 / (1 + np.exp(-(start + odds[colour])))
        with_it = np.bincount(colour, ours, _COLOURS) + _UNSEEN
        without = np.bincount(colour, 1 - ours, _COLOURS) + _UNSEEN
        odds = np.log(with_it / with_it.sum() * without.sum() / without)
    found: FloatMap = np.clip(odds, -_SUREST, _SUREST)[colour].reshape(height, width).astype(np.float32)
    return found


def _colours(lab: FloatMap) -> _Indices:
    """(n,) 0..47, the colour that each of (n, 3) pixels is drawn in."""
    sample = np.ascontiguousarray(lab[:: max(1, len(lab) // _SAMPLE)])
    ends = (cv2.TERM_CRITERIA_MAX_ITER, _SWEEPS, 0.0)
    assigned = np.zeros((len(sample), 1), np.int32)  # filled by OpenCV, not read here
    count = min(_COLOURS, len(sample))
    cv2.setRNGSeed(0)
    _, _, centres = cv2.kmeans(sample, count, assigned, ends, 1, cv2.KMEANS_PP_CENTERS)
    # A BLAS library may add up in another order with other threads, which could change a colour.
    distance = (centres**2).sum(axis=1) - 2 * np.einsum("nc,kc->nk", lab, centres)
    nearest: _Indices = distance.argmin(axis=1)
    return nearest
