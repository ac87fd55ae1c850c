"""Settings of refinement; apart from the tensor code, so that a process that only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.basics.errors import ConfigError


@dataclass
class DiffusionSettings:
    """How far probabilities flow.

    Attributes:
        steps: of the flow; 0 for none, at most 1000.
        side: the image is scaled down until its shorter side is at most this many pixels, 16 or more: what costs most
            is done there, and the flow reaches further.
        reaches: distances of the eight neighbours that a pixel exchanges with, in pixels of the small image, each 1 or
            more and below half of `side`.
        contrast: difference of colour that halts the flow, as a share of the standard deviation of the colours in the
            neighbourhood, above 0.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    steps: int = 20
    side: int = 80
    reaches: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    contrast: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (("steps", 0, 1000), ("side", 16, 4096)):
            if not low <= (value := getattr(self, name)) <= high:
                raise ConfigError(f"diffusion.{name}={value}: expected {low} to {high}")
        if not self.reaches or not all(1 <= reach < self.side / 2 for reach in self.reaches):
            raise ConfigError(
                f"diffusion.reaches={list(self.reaches)}: expected distances from 1 to below half of "
                f"diffusion.side={self.side}"
            )
        if not 0 < self.contrast <= 100:
            raise ConfigError(f"diffusion.contrast={self.contrast}: expected above 0, at most 100")
