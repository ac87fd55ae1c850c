"""Label rule: what the network is unsure of becomes ignored."""

from __future__ import annotations

from weakpan.arrays import FloatMap, SemanticMap
from weakpan.labels.pixels import ignored_where


def drop_low_scores(semantic: SemanticMap, score: FloatMap, threshold: float) -> SemanticMap:
    """Turn pixels whose score is below a threshold into 255.

    A score that is not a number counts as below: a network that diverged must not teach.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        score: (H, W) float32, confidence of the predicted class (softmax maximum), 0..1.
        threshold: 0..1. It is rounded to float32 first, so a score of exactly the threshold stays.

    Returns:
        (H, W) uint8, a new map.
    """
    return ignored_where(semantic, ~(score >= score.dtype.type(threshold)))
