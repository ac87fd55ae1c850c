"""Label maps mixed into class probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from weakpan.basics.arrays import IGNORE, SemanticMap


def mix_seeds(probabilities: Tensor, seeds: SemanticMap, weight: float) -> Tensor:
    """Give the class of each labelled pixel a share of its probabilities.

    Args:
        probabilities: (C, H, W) float32, 0..1; changed in place.
        seeds: (H, W) uint8 train ids, 255 unlabelled.
        weight: of a label, 0..1.

    Returns:
        The same tensor; pixels without a label are as they were.
    """
    labels = torch.from_numpy(seeds).to(probabilities.device)
    labelled = labels != IGNORE
    weights = weight * labelled.to(probabilities.dtype)
    places = torch.where(labelled, labels, torch.zeros_like(labels)).long()[None]
    return probabilities.mul_(1 - weights).scatter_add_(0, places, weights[None])
