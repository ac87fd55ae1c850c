"""The label map of an image from its stitched Grad-CAMs: the published rule and ours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from weakpan.arrays import IGNORE, SemanticMap
from weakpan.cues.cam_settings import CamSettings
from weakpan.cues.diffusion import diffuse
from weakpan.cues.evidence import class_probabilities


def published_labels(cams: Tensor, threshold: float) -> SemanticMap:
    """The label map of a stack of heatmaps, by the published rule.

    A class keeps the pixels above a share of its maximum; where classes collide the one with the smaller kept area
    wins, so that small and thin objects survive (section 4.1 of the paper); other pixels are 255.

    Args:
        cams: (C, H, W), 0 or larger; a class whose map is 0 everywhere is not in the image.
        threshold: share of the maximum, 0..1.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    highest = cams.amax(dim=(1, 2), keepdim=True)
    kept = (cams > threshold * highest) & (highest > 0)
    areas = kept.sum(dim=(1, 2))
    labels = torch.full(cams.shape[1:], IGNORE, dtype=torch.uint8, device=cams.device)
    for class_id in torch.argsort(areas, descending=True, stable=True).tolist():
        labels[kept[class_id]] = class_id
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
    # Most images have tags of a few classes only; at full size each one is much to carry along.
    occurring = allowed.flatten(1).any(dim=1).nonzero()[:, 0]
    if len(occurring) == 0:
        return np.full(cams.shape[1:], IGNORE, np.uint8)
    cams, allowed = cams[occurring], allowed[occurring]
    probabilities = class_probabilities(cams, allowed, settings.temperature, settings.least_spread)
    highest, strongest = diffuse(probabilities, allowed, image, settings.diffusion).max(dim=0)
    unsure = (highest < settings.threshold) | (highest <= 0)
    labels = occurring[strongest].to(torch.uint8).masked_fill(unsure, IGNORE)
    return labels.cpu().numpy().astype(np.uint8, copy=False)
