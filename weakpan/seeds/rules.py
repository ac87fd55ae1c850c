"""The label map of an image from its stitched Grad-CAMs: the published rule and ours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from weakpan.basics.arrays import IGNORE, SemanticMap
from weakpan.refinement.pixel_adaptive import diffuse
from weakpan.seeds.evidence import class_probabilities
from weakpan.seeds.settings import CamSettings


def published_labels(cams: Tensor, threshold: float, peaks: Tensor | None = None) -> SemanticMap:
    """The label map of a stack of heatmaps, by the published rule.

    A class keeps the pixels above a share of its maximum; where classes collide the one with the smaller kept area
    wins, so that small and thin objects survive (section 4.1 of the paper); other pixels are 255.

    Args:
        cams: (C, H, W), 0 or larger; a class whose map is 0 everywhere is not in the image.
        threshold: share of the maximum, 0..1.
        peaks: (C,) the maxima, of heatmaps that have lost theirs; None for those of `cams`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    highest = cams.amax(dim=(1, 2)) if peaks is None else peaks
    kept = [(cam > threshold * top) & (top > 0) for cam, top in zip(cams, highest, strict=True)]
    areas = torch.tensor([int(torch.count_nonzero(mask)) for mask in kept])
    labels = torch.full(cams.shape[1:], IGNORE, dtype=torch.uint8, device=cams.device)
    for class_id in torch.argsort(areas, descending=True, stable=True).tolist():
        labels.masked_fill_(kept[class_id], class_id)
    return labels.cpu().numpy().astype(np.uint8, copy=False)


def competing_labels(cams: Tensor, allowed: Tensor, image: Tensor, settings: CamSettings) -> SemanticMap:
    """The label map of a stack of heatmaps, each pixel among the classes that it can have.

    Args:
        cams: (C, H, W) Grad-CAMs without ReLU, any sign.
        allowed: (C, H, W) bool, the candidates of every pixel.
        image: (3, H, W) uint8.
        settings: see `CamSettings`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    if len(cams) == 0:
        return np.full(cams.shape[1:], IGNORE, np.uint8)
    probabilities = class_probabilities(cams, allowed, settings.temperature, settings.least_spread)
    highest, strongest = diffuse(probabilities, allowed, image, settings.diffusion).max(dim=0)
    unsure = (highest < settings.threshold) | (highest <= 0)
    labels = strongest.to(torch.uint8).masked_fill_(unsure, IGNORE)
    return labels.cpu().numpy().astype(np.uint8, copy=False)
