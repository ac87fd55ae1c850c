"""The label map of an image from its stitched Grad-CAMs: the published rule and ours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from weakpan.arrays import IGNORE, SemanticMap
from weakpan.cues.diffusion import DiffusionSettings, diffuse
from weakpan.cues.evidence import class_probabilities
from weakpan.errors import ConfigError


@dataclass
class CamSettings:
    """How heatmaps become labels.

    Attributes:
        rule: `published`: a class keeps what is above a share of its maximum, and where classes collide the one with
            the smaller area wins; `competing`: the candidates of a pixel compete with their evidence, probabilities
            flow between pixels of like colour, and the most likely class is taken.
        threshold: `published`: share of the class's maximum above which a pixel is kept (the paper uses 0.5);
            `competing`: least probability of the most likely class; 0..1.
        scales: factors by which tiles are scaled before the classifier looks at them; heatmaps are averaged over them.
        flip: average over the tiles and their mirror images.
        temperature: `competing`: see `weakpan.cues.evidence.class_probabilities`, above 0.
        least_spread: `competing`: see there, 0..1.
        diffusion: `competing`: how far probabilities flow.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    rule: str = "competing"
    threshold: float = 0.5
    scales: list[float] = field(default_factory=lambda: [1.0, 1.5])
    flip: bool = True
    temperature: float = 0.5
    least_spread: float = 0.5
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)

    def __post_init__(self) -> None:
        """Check the choices."""
        if self.rule not in ("published", "competing"):
            raise ConfigError(f"cam.rule={self.rule}: expected published or competing")
        for name in ("threshold", "least_spread"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(f"cam.{name}={value}: expected 0 to 1")
        if not 0 < self.temperature <= 100:
            raise ConfigError(f"cam.temperature={self.temperature}: expected above 0, at most 100")
        if not self.scales or not all(0.1 <= scale <= 10 for scale in self.scales):
            raise ConfigError(f"cam.scales={list(self.scales)}: expected one or more factors from 0.1 to 10")


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
    probabilities = class_probabilities(cams, allowed, settings.temperature, settings.least_spread)
    highest, labels = diffuse(probabilities, allowed, image, settings.diffusion).max(dim=0)
    unsure = (highest < settings.threshold) | (highest <= 0)
    labels = labels.to(torch.uint8).masked_fill(unsure, IGNORE)
    return labels.cpu().numpy().astype(np.uint8, copy=False)
