"""What train.py may be told: the typed schema of its configuration.

Settings of other rooms are part of the schema; they are plain dataclasses, because OmegaConf takes a frozen one for
read-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from weakpan.basics.settings import at_least, between, setting
from weakpan.config.data import DataConfig
from weakpan.config.labels import build_rules
from weakpan.config.objects import TARGET, build
from weakpan.labels.pipeline import LabelRules
from weakpan.masks.mask_net_settings import MaskNetSettings
from weakpan.masks.source import MaskSource
from weakpan.parallel.threads import available_cores
from weakpan.seeds.source import SeedSource


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
        first_epochs: of the first one, which begins from nothing and whose network makes the first labels; null for as
            many as of the others.
        from_classifier: begin the first round with the encoder of the crop classifier where `segmenter.init` is null
            and both networks have the same encoder; it has learned from the tags of the same images.
        warm_start: begin a round with the weights of the one before.
        stop_on_loss: stop when the training loss no longer falls.
        min_loss_drop: share of the loss before by which it must fall to go on, 0..1.
    """

    n: int = setting(3, at_least(1))
    epochs: int = setting(8, at_least(1))
    first_epochs: int | None = setting(None, at_least(1))
    from_classifier: bool = True
    warm_start: bool = True
    stop_on_loss: bool = True
    min_loss_drop: float = setting(0.0, between(0, 1))

    def epochs_of(self, round_index: int) -> int:
        """Epochs of the training of a round."""
        return self.first_epochs if round_index == 0 and self.first_epochs is not None else self.epochs


@dataclass
class ReportConfig:
    """Group `report`: pictures in report.html; the number of training and of validation images shown."""

    train_images: int = setting(4, at_least(0))
    val_images: int = setting(6, at_least(0))


@dataclass
class RunConfig:
    """Everything that train.py and make_gt.py have in common.

    Attributes:
        run: folder of the run.
        seed: of everything that is random.
        supervision: whose labels the segmenter is trained on.
        full_list: file with the ids of the images whose ground truth is used; with `supervision=semi`.
        labels_from: labels to begin with, made elsewhere.
        classifier_from: checkpoint of a classifier trained elsewhere.
        heatmaps_from: folder of heatmaps that were kept.
        trust: packages beside ours whose code a checkpoint from elsewhere may name.
        workers: processes of each rank that share the work on single images; null for one a core.
        verbose: say also what helps to find faults.
        quiet: say nothing but warnings and errors.
        audit: tell how labels came about, and how good results are where there is ground truth.
        pictures: number of images that an audit draws; of the worst ones ten at most.
    """

    run: str = MISSING
    seed: int = setting(0, at_least(0))
    supervision: Supervision = Supervision.weak
    full_list: str | None = None
    labels_from: str | None = None
    classifier_from: str | None = None
    heatmaps_from: str | None = None
    trust: list[str] = field(default_factory=list)
    workers: int | None = setting(None, at_least(1))
    verbose: bool = False
    quiet: bool = False
    audit: bool = False
    pictures: int = setting(20, at_least(0))
    data: DataConfig = field(default_factory=DataConfig)
    masks: dict[str, Any] = field(default_factory=lambda: {TARGET: "weakpan.masks.GrabCutAndProposals"})
    mask_net: MaskNetSettings = field(default_factory=MaskNetSettings)
    seeds: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    classifier: dict[str, Any] = field(default_factory=dict)
    segmenter: dict[str, Any] = field(default_factory=dict)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    trainer: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)

    @property
    def mask_source(self) -> MaskSource:
        """The source of masks in boxes; raises ConfigError with the full key."""
        return build(MaskSource, self.masks, "masks")

    @property
    def seed_source(self) -> SeedSource:
        """The source of seeds; raises ConfigError with the full key."""
        return build(SeedSource, self.seeds, "seeds")

    @property
    def label_rules(self) -> LabelRules:
        """The rules of label making; raises ConfigError with the full key."""
        return build_rules(self.labels)

    @property
    def released(self) -> bool:
        """Whether results lie as the authors released theirs, instead of in a run folder."""
        return False

    @property
    def weakly(self) -> bool:
        """Whether boxes and tags are used."""
        return self.supervision is not Supervision.full

    @property
    def needs_seeds(self) -> bool:
        """Whether labels of round 0 are made here."""
        return self.weakly and self.labels_from is None

    @property
    def starts_from_classifier(self) -> bool:
        """Whether the first round begins with the encoder of the crop classifier."""
        classifier, segmenter = self.classifier["network"], self.segmenter["network"]
        return (
            self.rounds.from_classifier
            and self.weakly
            and self.labels_from is None
            and self.heatmaps_from is None
            and segmenter.get("init") is None
            and classifier.get("encoder") == segmenter.get("encoder")
        )

    @property
    def needs_classifier(self) -> bool:
        """Whether a crop classifier is trained here: for seeds, or for the encoder that the segmenter begins with."""
        for_seeds = self.seed_source.needs_classifier and self.heatmaps_from is None
        wanted = self.needs_seeds and (for_seeds or self.starts_from_classifier)
        return wanted and self.classifier_from is None

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return self.workers or available_cores()


@dataclass
class TrainConfig(RunConfig):
    """Everything that train.py can be told.

    Attributes:
        metric: figure of the last round that a sweep optimises.
    """

    metric: str = "val.pq"
