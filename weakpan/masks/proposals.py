"""A segment proposal for one box: a union of small segments, chosen by its bounding box or by more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import BoolMask, FloatMap
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import Box
from weakpan.masks.contours import Contours, checked_contours
from weakpan.masks.partition import Partition, merge_tree, watershed_partition
from weakpan.masks.region import Region, elliptic_radius

_Floats = npt.NDArray[np.float32]
_Unions = npt.NDArray[np.bool_]

# Candidates: a union counts as one of the box when at least half of it lies inside and it fills at least 1.5 % of it;
# the largest of them are also tried in pairs.
_LEAST_INSIDE = 0.5
_LEAST_FILL = 0.015
_PAIRED = 40
# Local search changes one segment at a time; it settles long before this.
_MOST_CHANGES = 25


@dataclass
class ShapeWeights:
    """Weights of the terms that are added up for a candidate, each term 0..1.

    Attributes:
        box: of the IoU of its bounding box with the box, 0..100.
        contour: of the mean contour strength along its border, 0..100.
        prior: of its soft IoU with the shape prior, a blurred inscribed ellipse, 0..100.
        radius: elliptic radius at which the prior is one half, 0.5..1.42.
    """

    box: float = setting(1.0, between(0, 100))
    contour: float = setting(1.2, between(0, 100))
    prior: float = setting(1.5, between(0, 100))
    radius: float = setting(1.05, between(0.5, 1.42))


@dataclass(frozen=True)
class Proposal:
    """The segment proposal of a box.

    Attributes:
        seen: (h, w) in the region's resolution; may reach beyond the box.
        inside: (box height, box width), in the image's.
    """

    seen: BoolMask
    inside: BoolMask


class Proposer(Protocol):
    """Something that has a segment proposal for a box."""

    def __call__(self, box: Box, region: Region, /) -> Proposal | None:
        """The proposal for a box, whose surroundings the region shows; None if there is none."""
        ...


@dataclass(frozen=True)
class MergedSegments:
    """Proposals from the pixels alone, as `proposal_mask` makes them."""

    weights: ShapeWeights | None
    contours: Contours

    def __call__(self, box: Box, region: Region, /) -> Proposal:  # noqa: ARG002
        """The proposal for the box of a region; there is always one."""
        seen = proposal_mask(region, self.weights, checked_contours(self.contours, region.pixels))
        return Proposal(seen, region.to_box(seen))


def proposal_mask(region: Region, weights: ShapeWeights | None, contours: FloatMap) -> BoolMask:
    """Propose the segment that is the object of a box.

    Candidates are the unions of a merge tree that lie mostly in the box, and touching pairs of them. The one
    whose bounding box has the highest IoU with the box is taken (Li, Arnab and Torr, 2018); with weights also contours
    and shape count, and the best candidate is improved by adding and removing single segments.

    Args:
        region: the box with its surroundings.
        weights: see above; None for the bounding box alone.
        contours: (h, w) strength of the contours that segments are cut along, 0..1.

    Returns:
        (h, w) in the region's resolution; may reach beyond the box. Never empty.
    """
    partition = watershed_partition(contours)
    scorer = _Scorer(partition, region, weights or ShapeWeights())
    candidates = _candidates(partition, scorer)
    if weights is None:
        best = candidates[int(scorer.box_iou(candidates).argmax())]
    else:
        best = _improve(candidates[int(scorer.score(candidates).argmax())], scorer)
    mask: BoolMask = best[partition.labels]
    return mask


class _Scorer:
    """Measures of unions of segments; a union is a row of booleans over the n segments.

    Sums over segments are written with einsum: products this small lose far more to the threads of a BLAS library than
    they gain, all the more where several workers share the cores.
    """

    def __init__(self, partition: Partition, region: Region, weights: ShapeWeights) -> None:
        self.partition, self.weights = partition, weights
        inside = np.zeros(region.shape, np.float32)
        inside[region.rows, region.cols] = 1
        prior = np.zeros(region.shape, np.float32)
        prior[region.rows, region.cols] = 1 / (1 + np.exp(-6 * (weights.radius - elliptic_radius(*region.inner_shape))))
        self.area = partition.totals(np.ones(region.shape, np.float32))
        self.inside = partition.totals(inside)
        self.prior = partition.totals(prior)
        self.box = (region.rows.start, region.rows.stop, region.cols.start, region.cols.stop)
        self.box_area = float(inside.sum())
        self.extents = partition.extents

    def box_iou(self, unions: _Unions) -> _Floats:
        """(c,) IoU of the bounding box of each of (c, n) unions with the box."""
        top, left = (np.where(unions, self.extents[:, k], np.inf).min(axis=1) for k in (0, 2))
        bottom, right = (np.where(unions, self.extents[:, k], -np.inf).max(axis=1) for k in (1, 3))
        height = np.minimum(bottom, self.box[1]) - np.maximum(top, self.box[0])
        width = np.minimum(right, self.box[3]) - np.maximum(left, self.box[2])
        shared = np.maximum(height, 0) * np.maximum(width, 0)
        iou: _Floats = shared / ((bottom - top) * (right - left) + self.box_area - shared)
        return iou

    def score(self, unions: _Unions) -> _Floats:
        """(c,) weighted sum of box IoU, contour strength and agreement with the shape prior of (c, n) unions."""
        low, high = self.partition.borders.T
        crossed = unions[:, low] != unions[:, high]
        length, strength = _sums(crossed, self.partition.length), _sums(crossed, self.partition.strength)
        shared = _sums(unions, self.prior)
        prior = shared / (self.prior.sum() + _sums(unions, self.area) - shared)
        w = self.weights
        total: _Floats = w.box * self.box_iou(unions) + w.contour * strength / np.maximum(length, 1) + w.prior * prior
        return total


def _sums(chosen: npt.NDArray[np.bool_], values: _Floats) -> _Floats:
    total: _Floats = np.einsum("ck,k->c", chosen.astype(np.float32), values)
    return total


def _candidates(partition: Partition, scorer: _Scorer) -> _Unions:
    unions = merge_tree(partition)
    area, inside = _sums(unions, scorer.area), _sums(unions, scorer.inside)
    fits = (inside >= _LEAST_INSIDE * area) & (inside >= _LEAST_FILL * scorer.box_area)
    if not fits.any():
        # Every union spills out of the box: the segments that lie in it at all are the best that there is.
        rest: _Unions = (scorer.inside > 0)[None]
        return rest
    largest = np.flatnonzero(fits)[np.argsort(-inside[fits], kind="stable")]
    single = unions[largest]
    some = single[:_PAIRED].astype(np.float32)
    low, high = partition.borders.T
    joined = np.einsum("ce,de->cd", some[:, low], some[:, high])
    disjoint = np.einsum("cn,dn->cd", some, some) == 0
    first, second = np.nonzero(np.triu((joined + joined.T > 0) & disjoint, 1))
    return np.concatenate([single, single[first] | single[second]])


def _improve(union: _Unions, scorer: _Scorer) -> _Unions:
    value = float(scorer.score(union[None])[0])
    low, high = scorer.partition.borders.T
    for _ in range(_MOST_CHANGES):
        near = union.copy()
        near[high[union[low]]] = near[low[union[high]]] = True
        changes = np.flatnonzero(near & (scorer.inside > 0))
        tried = np.repeat(union[None], len(changes), axis=0)
        tried[np.arange(len(changes)), changes] ^= True
        tried = tried[tried.any(axis=1)]
        if not len(tried):
            break
        scores = scorer.score(tried)
        best = int(scores.argmax())
        if scores[best] <= value + 1e-6:
            break
        union, value = tried[best], float(scores[best])
    return union
