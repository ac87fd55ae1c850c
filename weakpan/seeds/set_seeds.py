"""Seeds from candidate sets: what tags and boxes leave to a pixel, and a small network that chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from weakpan.basics.settings import Range, above, at_least, between, check_settings, setting
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.source import SeedJob, SeedSource


@dataclass(frozen=True)
class SetSeeds(SeedSource):
    """A classifier of cells that learns from the sets of classes that tags and boxes leave to each cell.

    The encoder stays as it is, so that learning takes a minute; it should have seen pictures before. Two classifiers
    learn the same targets, probabilities that satisfy the tags: one weighs every cell alike, and one every class, which
    finds what the first gives up. Where the first leaves most tags of a class unsatisfied, the second is asked.

        seeds: {_target_: weakpan.seeds.SetSeeds, encoder: tf_efficientnet_lite0, init: WEIGHTS}

    Attributes:
        encoder: timm model name.
        init: its weights: a file, `pretrained` for the library's, or null for random ones.
        side: images are scaled down until their shorter side has at most so many pixels.
        cell: side of a cell, pixels of the scaled image.
        channels: of each level of the encoder that are kept at most.
        hidden: units of the classifiers.
        steps: of learning.
        batch_size: images a step.
        lr: highest learning rate.
        images: that are learned from at most, drawn by the seed of the run.
        tag_share: of the part of its crop that it can have, the share that each tagged class of stuff needs, 0..1.
        balance: exponent of the inverse class shares that weigh the second classifier's targets, 0..1.
        given_up: share of unsatisfied tags above which the second classifier is asked, 0..1; 1 for never.
        threshold: least probability of the most likely class among those that a pixel can have, 0..1.
        least_possible: least probability of all classes that a pixel can have, 0..1: below, nothing fits.
        diffusion: how far probabilities flow between pixels of like colour.
    """

    encoder: str = "tf_efficientnet_lite0"
    init: str | None = None
    side: int = setting(360, between(32, 4096))
    cell: int = setting(8, between(2, 64))
    channels: int = setting(64, at_least(1))
    hidden: int = setting(96, at_least(1))
    steps: int = setting(520, at_least(1))
    batch_size: int = setting(6, at_least(1))
    lr: float = setting(4e-3, above(0))
    images: int = setting(600, at_least(1))
    tag_share: float = setting(0.03, Range("more than 0 and below 1", lambda v: 0 < v < 1))
    balance: float = setting(0.5, between(0, 1))
    given_up: float = setting(0.65, between(0, 1))
    threshold: float = setting(0.5, between(0, 1))
    least_possible: float = setting(0.05, between(0, 1))
    diffusion: DiffusionSettings = field(default_factory=lambda: DiffusionSettings(steps=12, side=360))

    needs_masks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check what the fields hold; raises ConfigError."""
        check_settings(self)

    @property
    def supervision(self) -> str:
        """What stands behind the seeds."""
        weights = "random weights" if self.init is None else f"weights from {self.init}"
        return f"seeds: candidate sets of these tags and boxes, on features of {self.encoder} ({weights})"

    def make(self, job: SeedJob) -> None:
        """Learn on rank 0, then predict the images of each rank."""
        # Torch is not needed to read settings.
        from weakpan.seeds.set_learning import make_set_seeds

        make_set_seeds(self, job)
