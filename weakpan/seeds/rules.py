"""Rules from the stitched heatmaps of an image to its label map: the published one and ours.

Rules are settings, too, which processes read that need no network: torch is imported when a rule is applied.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from weakpan.basics.arrays import IGNORE, SemanticMap
from weakpan.basics.settings import Range, between, check_settings, setting
from weakpan.refinement.settings import DiffusionSettings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class HeatmapRule(ABC):
    """Gives each pixel one of the classes that have a heatmap, or none.

    Attributes:
        signed: whether it takes heatmaps without Grad-CAM's ReLU, which also say what speaks against a class.
        needs_candidates: whether it asks which classes tags and boxes leave to a pixel; classes that no pixel can have
            are then not among its heatmaps.
    """

    signed: ClassVar[bool] = False
    needs_candidates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_settings(self)

    @property
    def needs_image(self) -> bool:
        """Whether it looks at the pixels of the image."""
        return False

    @abstractmethod
    def winners(
        self, heatmaps: Tensor, allowed: Tensor | None, image: Tensor | None, peaks: Tensor | None
    ) -> SemanticMap:
        """The winning class of each pixel.

        Args:
            heatmaps: (K, H, W) float32, Grad-CAMs of K classes, 0 or larger, or of any sign if `signed`.
            allowed: (K, H, W) bool, whether a pixel can have a class; None unless `needs_candidates`.
            image: (3, H, W) uint8; None unless `needs_candidates`, and of any size unless `needs_image`.
            peaks: (K,) maxima, of heatmaps that have lost theirs; None for those of `heatmaps`.

        Returns:
            (H, W) uint8, the winner's place among the heatmaps, 255 for none.
        """


@dataclass(frozen=True)
class PublishedRule(HeatmapRule):
    """The published rule (Li et al., ECCV 2018, section 4.1).

    A class keeps the pixels above a share of its maximum; where classes collide the one with the smaller kept area
    wins, so that small and thin objects survive.

    Attributes:
        threshold: share of the maximum; the paper uses 0.5. A class whose heatmap is 0 everywhere keeps nothing.
    """

    threshold: float = setting(0.5, between(0, 1))

    def winners(
        self,
        heatmaps: Tensor,
        allowed: Tensor | None,  # noqa: ARG002
        image: Tensor | None,  # noqa: ARG002
        peaks: Tensor | None,
    ) -> SemanticMap:
        """See the base class."""
        import torch

        highest = heatmaps.amax(dim=(1, 2)) if peaks is None else peaks
        kept = [(one > self.threshold * top) & (top > 0) for one, top in zip(heatmaps, highest, strict=True)]
        areas = torch.tensor([int(torch.count_nonzero(mask)) for mask in kept])
        labels = torch.full(heatmaps.shape[1:], IGNORE, dtype=torch.uint8, device=heatmaps.device)
        for place in torch.argsort(areas, descending=True, stable=True).tolist():
            labels.masked_fill_(kept[place], place)
        return labels.cpu().numpy().astype(np.uint8, copy=False)


@dataclass(frozen=True)
class Competing(HeatmapRule):
    """The candidates of each pixel compete with their evidence.

    Probabilities of the classes, see `weakpan.seeds.evidence`, flow between pixels of like colour, and the most likely
    class is taken.

    Attributes:
        threshold: least probability of the most likely class.
        temperature: of the softmax, in standard deviations of a class's heatmap.
        least_spread: standard deviations are taken to be at least this share of the largest one of the image.
        diffusion: how far probabilities flow; `steps=0` for not at all.
    """

    threshold: float = setting(0.5, between(0, 1))
    temperature: float = setting(0.5, Range("more than 0, at most 100", lambda v: 0 < v <= 100))
    least_spread: float = setting(0.5, between(0, 1))
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)

    signed: ClassVar[bool] = True
    needs_candidates: ClassVar[bool] = True

    @property
    def needs_image(self) -> bool:
        """Whether probabilities flow."""
        return self.diffusion.steps > 0

    def winners(
        self,
        heatmaps: Tensor,
        allowed: Tensor | None,
        image: Tensor | None,
        peaks: Tensor | None,  # noqa: ARG002
    ) -> SemanticMap:
        """See the base class."""
        import torch

        from weakpan.refinement.pixel_adaptive import diffuse
        from weakpan.seeds.evidence import class_probabilities

        assert allowed is not None
        assert image is not None
        if len(heatmaps) == 0:
            return np.full(heatmaps.shape[1:], IGNORE, np.uint8)
        probabilities = class_probabilities(heatmaps, allowed, self.temperature, self.least_spread)
        highest, strongest = diffuse(probabilities, allowed, image, self.diffusion).max(dim=0)
        unsure = (highest < self.threshold) | (highest <= 0)
        labels = strongest.to(torch.uint8).masked_fill_(unsure, IGNORE)
        return labels.cpu().numpy().astype(np.uint8, copy=False)
