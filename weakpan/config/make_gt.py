"""What make_gt.py may be told: what train.py may, and which stage of it is to be made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from omegaconf import MISSING, DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import at_least, setting
from weakpan.config.compose import to_object
from weakpan.config.data import OnError
from weakpan.config.train import RunConfig
from weakpan.config.train_checks import check_run


class Stage(Enum):
    """A stage that can be made alone."""

    annotations = "annotations"
    mask_net = "mask_net"
    masks = "masks"
    classifier = "classifier"
    seeds = "seeds"
    labels = "labels"
    segmenter = "segmenter"
    scores = "scores"


RELEASED = (Stage.annotations, Stage.mask_net, Stage.masks, Stage.seeds, Stage.labels)
"""Stages whose results the released layout has a place for."""

_AUDITED = (Stage.masks, Stage.seeds, Stage.labels)


@dataclass
class LayoutConfig:
    """Group `layout`: where results lie.

    Attributes:
        released: as the authors released theirs, instead of in a run folder of train.py.
        inputs: folder of the released layout with the seeds, masks, predictions and scores that labels are made from;
            null for the folder that results are written to.
    """

    released: bool = False
    inputs: str | None = None


@dataclass
class MakeGtConfig(RunConfig):
    """Everything that make_gt.py can be told.

    Attributes:
        stage: that is made.
        layout: where results lie.
        round: of labels, segmenter and scores, counted from 0.
        shard: `k/n` does the k-th of n parts of the images, counted from 0; null for all.
        on_error: stop at the first image that cannot be done, or skip it, do the rest and list it at the end.
        mat: also write the boxes as the authors' MATLAB files (stage annotations).
        coco: also write the labels as COCO panoptic (stage labels).
    """

    stage: Stage = MISSING
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    round: int = setting(0, at_least(0))
    shard: str | None = None
    on_error: OnError = OnError.stop
    mat: bool = False
    coco: bool = False

    @property
    def released(self) -> bool:
        """Whether results lie as the authors released theirs, instead of in a run folder."""
        return self.layout.released

    @property
    def skips(self) -> bool:
        """Whether images that cannot be done are left out."""
        return self.on_error is OnError.skip

    @property
    def part(self) -> tuple[int, int]:
        """Index and number of shards; (0, 1) for all images."""
        if self.shard is None:
            return 0, 1
        index, count = self.shard.split("/")
        return int(index), int(count)


def to_make_gt_config(composed: DictConfig) -> MakeGtConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = to_object(MakeGtConfig, composed)
    check_run(config)
    if config.shard is not None and re.fullmatch(r"\d+/[1-9]\d*", config.shard) is None:
        raise ConfigError("expected k/n, for instance 0/4 for the first of four parts", key="shard", found=config.shard)
    index, count = config.part
    if index >= count:
        raise ConfigError(
            f"parts count from 0, so the last one is {count - 1}/{count}", key="shard", found=config.shard
        )
    stage = config.stage.value
    if config.released and config.stage not in RELEASED:
        known = ", ".join(s.value for s in RELEASED)
        raise ConfigError(
            f"layout=released has no place for it; it has {known}", key="stage", found=stage, remedy="take layout=run"
        )
    inputs = config.layout.inputs
    if inputs is not None and not Path(inputs).is_dir():
        raise ConfigError("no such folder", key="layout.inputs", found=inputs, remedy="give one of the released layout")
    if config.shard is not None and config.stage in (Stage.mask_net, Stage.classifier, Stage.segmenter, Stage.scores):
        raise ConfigError(
            f"stage={stage} is about all images at once", key="shard", found=config.shard, remedy="leave it out"
        )
    for key, stages in (("audit", _AUDITED), ("mat", (Stage.annotations,)), ("coco", (Stage.labels,))):
        if getattr(config, key) and config.stage not in stages:
            fitting = ", ".join(s.value for s in stages)
            raise ConfigError(f"belongs to stage={fitting}, not to stage={stage}", key=key, found=True)
    if config.stage is Stage.mask_net and config.trainer.get("devices", 1) not in (1, "1"):
        raise ConfigError(
            "stage=mask_net learns on one device",
            key="trainer.devices",
            found=config.trainer["devices"],
            remedy="give trainer.devices=1",
        )
    if config.mat and (Path(config.data.mat).is_absolute() or ".." in Path(config.data.mat).parts):
        raise ConfigError(
            "with mat=true files are written there, so it must stay in the run folder",
            key="data.mat",
            found=config.data.mat,
        )
    return config
