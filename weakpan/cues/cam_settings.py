"""The dials of CAM labels; apart from what they turn, so that a process that only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.errors import ConfigError

PUBLISHED, COMPETING = "published", "competing"
"""The rules."""


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
        keep_heatmaps: write the heatmaps, too, see `weakpan.cues.cam_heatmaps`; labels are the same with and without.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    rule: str = COMPETING
    threshold: float = 0.5
    scales: list[float] = field(default_factory=lambda: [1.0, 1.5])
    flip: bool = True
    temperature: float = 0.5
    least_spread: float = 0.5
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    keep_heatmaps: bool = False

    def __post_init__(self) -> None:
        """Check the choices."""
        if self.rule not in (PUBLISHED, COMPETING):
            raise ConfigError(f"cam.rule={self.rule}: expected published or competing")
        for name in ("threshold", "least_spread"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(f"cam.{name}={value}: expected 0 to 1")
        if not 0 < self.temperature <= 100:
            raise ConfigError(f"cam.temperature={self.temperature}: expected above 0, at most 100")
        if not self.scales or not all(0.1 <= scale <= 10 for scale in self.scales):
            raise ConfigError(f"cam.scales={list(self.scales)}: expected one or more factors from 0.1 to 10")
