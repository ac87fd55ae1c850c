"""The dials of CAM labels; apart from what they turn, so that a process that only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.basics.errors import ConfigError
from weakpan.refinement.settings import DiffusionSettings

PUBLISHED, COMPETING = "published", "competing"
"""The rules."""


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
        temperature: `competing`: see `weakpan.seeds.evidence.class_probabilities`, above 0.
        least_spread: `competing`: see there, 0..1.
        diffusion: `competing`: how far probabilities flow.
        keep_heatmaps: write the heatmaps, too, see `weakpan.seeds.heatmaps`; labels are the same with and without.

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
            raise ConfigError(f"seeds.rule={self.rule}: expected published or competing")
        for name in ("threshold", "least_spread"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(f"cam.{name}={value}: expected 0 to 1")
        if not 0 < self.temperature <= 100:
            raise ConfigError(f"seeds.temperature={self.temperature}: expected above 0, at most 100")
        if not self.scales or not all(0.1 <= scale <= 10 for scale in self.scales):
            raise ConfigError(f"seeds.scales={list(self.scales)}: expected one or more factors from 0.1 to 10")
