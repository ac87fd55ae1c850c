"""Label rule: what the network is unsure of becomes ignored."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.arrays import IGNORE, FloatMap, SemanticMap
from weakpan.labels.pixels import ignored_where

_LEVELS = 1024
"""Steps in which the scores of a class are ranked; a power of two, so that dividing by it is exact."""


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
    """(256,) score that this share of each class's pixels reaches, rounded down to a level."""
    known = (semantic != IGNORE) & np.isfinite(score)
    level = np.clip((score[known] * _LEVELS).astype(np.int64), 0, _LEVELS)
    counts = np.bincount(semantic[known].astype(np.int64) * (_LEVELS + 1) + level, minlength=256 * (_LEVELS + 1))
    reached = counts.reshape(256, _LEVELS + 1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    enough = reached >= kept_share * reached[:, :1]
    # The highest level that enough pixels reach; level 0 always is one.
    limits: npt.NDArray[np.float32] = ((_LEVELS - enough[:, ::-1].argmax(axis=1)) / _LEVELS).astype(np.float32)
    return limits
