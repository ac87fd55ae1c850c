"""What train.py may be told: the typed schema of its configuration.

Settings of other rooms are part of the schema; they are plain dataclasses, because OmegaConf takes a frozen one for
read-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from weakpan.config.data import DataConfig
from weakpan.config.masks import MasksConfig
from weakpan.labels.settings import LabelSettings
from weakpan.parallel.cores import available_cores
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.settings import CamSettings


class Supervision(Enum):
    """Whose labels the segmenter is trained on."""

    weak = "weak"
    full = "full"
    semi = "semi"


@dataclass
class RoundsConfig:
    """Group `rounds`.

    Attributes:
        n: at most this many trainings of the segmenter.
        epochs: of each training.
        from_classifier: begin the first round with the encoder of the crop classifier where `segmenter.init` is null
            and both networks have the same encoder; it has learned from the tags of the same images.
        warm_start: begin a round with the weights of the one before.
        stop_on_loss: stop when the training loss no longer falls.
        min_loss_drop: share of the loss before by which it must fall to go on, 0..1.
        candidates: relabel with the most likely class among those that tags and boxes leave to a pixel. False is the
            published scheme, in which a class that they rule out becomes 255.
        diffusion: how far the probabilities of the candidates flow between pixels of like colour before that;
            `diffusion.steps=0` leaves them as the network gives them. Only with `candidates`.
    """

    n: int = 3
    epochs: int = 8
    from_classifier: bool = True
    warm_start: bool = True
    stop_on_loss: bool = True
    min_loss_drop: float = 0.0
    candidates: bool = True
    diffusion: DiffusionSettings = field(default_factory=lambda: DiffusionSettings(steps=6, side=120))


@dataclass
class ReportConfig:
    """Group `report`: pictures in report.html; the number of training and of validation images shown."""

    train_images: int = 4
    val_images: int = 6


@dataclass
class TrainConfig:
    """Everything that train.py can be told."""

    run: str = MISSING
    seed: int = 0
    supervision: Supervision = Supervision.weak
    full_list: str | None = None
    metric: str = "val.pq"
    workers: int | None = None
    data: DataConfig = field(default_factory=DataConfig)
    masks: MasksConfig = field(default_factory=MasksConfig)
    seeds: CamSettings = field(default_factory=CamSettings)
    labels: LabelSettings = field(default_factory=LabelSettings)
    classifier: dict[str, Any] = field(default_factory=dict)
    segmenter: dict[str, Any] = field(default_factory=dict)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    trainer: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return self.workers or available_cores()
