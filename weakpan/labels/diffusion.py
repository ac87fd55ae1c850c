"""Label rule: probabilities flow between pixels of like colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakpan.basics.settings import at_least, between, setting
from weakpan.labels.rule import CANDIDATES, IMAGE, ProbabilityContext, ProbabilityRule
from weakpan.refinement.settings import DiffusionSettings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Diffusion(ProbabilityRule):
    """Mixes the probabilities of each pixel with those of neighbours of like colour.

    Attributes:
        steps: of the flow, 0..1000.
        side: the image is scaled down until its shorter side is at most this many pixels, 16..4096.
        reaches: distances of the neighbours in pixels of the small image, each 1 or more and below half of `side`.
        contrast: difference of colour that halts the flow, see `weakpan.refinement.settings.DiffusionSettings`.
    """

    steps: int = setting(6, between(0, 1000))
    side: int = setting(120, between(16, 4096))
    reaches: list[int] = setting([1, 2, 4, 8], at_least(1))
    contrast: float = setting(0.1, between(1e-9, 100))

    needs = frozenset({CANDIDATES, IMAGE})
    color = (148, 103, 189)

    def __post_init__(self) -> None:
        """Check the settings, those that depend on each other included; raises ConfigError."""
        super().__post_init__()
        _settings(self)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """(C, H, W) probabilities among the classes that each pixel can have, see `diffuse`."""
        # Settings are read by processes that do without torch.
        from weakpan.refinement.pixel_adaptive import diffuse

        assert context.allowed is not None
        return diffuse(probabilities, context.allowed, context.image, _settings(self))


def _settings(rule: Diffusion) -> DiffusionSettings:
    return DiffusionSettings(rule.steps, rule.side, list(rule.reaches), rule.contrast)
