"""Label rule: what the network is unsure of becomes ignored."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, FloatMap, SemanticMap
from weakpan.basics.settings import between, setting
from weakpan.labels.pixels import ignored_where
from weakpan.labels.rule import SCORE, MapContext, MapRule

_LEVELS = 1024
"""Steps in which the scores of a class are ranked; a power of two, so that dividing by it is exact."""

_STRIP = 64
"""Rows that are counted at once: few enough for the processor's cache, which takes a third of the time."""

_FIRST_CELL = ((np.arange(256) + 1) % 256 * (_LEVELS + 1)).astype(np.int32)
"""Where the levels of each class start among all that are counted; 255 comes first, so that the others need few."""


@dataclass(frozen=True)
class ScoreThreshold(MapRule):
    """Ignores what the network is unsure of.

    Attributes:
        minimum: predictions that score below become 255, 0..1.
        kept_share: of the pixels of each class in an image, at least this share survives, 0..1; 0 is the published
            rule.
    """

    minimum: float = setting(0.99, between(0, 1))
    kept_share: float = setting(0.0, between(0, 1))

    needs = frozenset({SCORE})
    color = (240, 228, 66)

    def applies_in(self, round_index: int) -> bool:
        """Not in round 0: seeds have no scores."""
        return round_index > 0

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `drop_low_scores`."""
        assert context.score is not None
        return drop_low_scores(semantic, context.score, self.minimum, self.kept_share)


def drop_low_scores(semantic: SemanticMap, score: FloatMap, threshold: float, kept_share: float = 0.0) -> SemanticMap:
    """Turn pixels whose score is below a threshold into 255.

    A score that is not a number counts as below: a network that diverged must not teach.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        score: (H, W) float32, confidence of the predicted class (softmax maximum), 0..1.
        threshold: 0..1. It is rounded to float32 first, so a score of exactly the threshold stays.
        kept_share: of the pixels that each class has in the image, at least this share stays, those that score highest,
            0..1. Networks are less sure of rare and small classes, so that one threshold for all takes these out of the
            labels altogether (class-balanced self-training: Zou et al., ECCV 2018). 0 is the published rule.

    Returns:
        (H, W) uint8, a new map.
    """
    limit = score.dtype.type(threshold)
    if kept_share > 0:
        return ignored_where(
            semantic, ~(score >= cv2.LUT(semantic, np.minimum(limit, _class_limits(semantic, score, kept_share))))
        )
    return ignored_where(semantic, ~(score >= limit))


def _class_limits(semantic: SemanticMap, score: FloatMap, kept_share: float) -> npt.NDArray[np.float32]:
    """(256,) score that this share of each class's pixels reaches, rounded down to a level; 1 for absent classes."""
    counts = _count_levels(semantic, score)
    present = np.flatnonzero(counts.any(axis=1))
    # From the highest level down; the first one that enough pixels reach.
    reached = counts[present, ::-1].cumsum(axis=1)
    enough = reached >= kept_share * reached[:, -1:]
    limits = np.ones(256, np.float32)
    limits[present] = (_LEVELS - enough.argmax(axis=1)) / _LEVELS
    return limits


def _count_levels(semantic: SemanticMap, score: FloatMap) -> npt.NDArray[np.int64]:
    """(255, _LEVELS + 1) pixels of each class and level; ignored pixels and scores that are no numbers do not count."""
    counts = np.zeros(256 * (_LEVELS + 1), np.int64)
    for top in range(0, len(semantic), _STRIP):
        strip, scores = semantic[top : top + _STRIP], score[top : top + _STRIP]
        finite = np.isfinite(scores)
        if not finite.all():
            strip, scores = np.where(finite, strip, np.uint8(IGNORE)), np.where(finite, scores, 0)
        cells = np.clip(scores * _LEVELS, 0, _LEVELS).astype(np.int32) + cv2.LUT(strip, _FIRST_CELL)
        found = np.bincount(cells.ravel())
        counts[: found.size] += found
    return counts.reshape(256, _LEVELS + 1)[1:]
