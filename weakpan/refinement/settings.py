"""Settings of refinement; apart from the tensor code, so that a process that only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import Range, at_least, between, check_settings, setting


@dataclass
class DiffusionSettings:
    """How far probabilities flow.

    Attributes:
        steps: of the flow; 0 for none.
        side: the image is scaled down until its shorter side is at most this many pixels: what costs most is done
            there, and the flow reaches further.
        reaches: distances of the eight neighbours that a pixel exchanges with, in pixels of the small image, below
            half of `side`.
        contrast: difference of colour that halts the flow, as a share of the standard deviation of the colours in the
            neighbourhood.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    steps: int = setting(20, between(0, 1000))
    side: int = setting(80, between(16, 4096))
    reaches: list[int] = setting([1, 2, 4, 8], at_least(1))
    contrast: float = setting(0.1, Range("more than 0, at most 100", lambda v: 0 < v <= 100))

    def __post_init__(self) -> None:
        """Check the ranges, and that neighbours lie within the image."""
        check_settings(self)
        if not self.reaches or max(self.reaches) >= self.side / 2:
            raise ConfigError(
                f"expected distances from 1 to below half of side={self.side}", key="reaches", found=list(self.reaches)
            )
