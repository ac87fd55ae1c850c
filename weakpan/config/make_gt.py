"""What make_gt.py may be told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import check_values, to_object
from weakpan.config.data import GridConfig, OnError
from weakpan.config.masks import MasksConfig
from weakpan.config.objects import build
from weakpan.data.image_tree import FileTemplates
from weakpan.labels.settings import LabelSettings
from weakpan.seeds.source import SeedSource
from weakpan.toy_city.city import ToyCitySpec


class Stage(Enum):
    """What is made."""

    boxes = "boxes"
    tags = "tags"
    mask_net = "mask_net"
    masks = "masks"
    seeds = "seeds"
    labels = "labels"


class BoxSource(Enum):
    """Where boxes are read from."""

    maps = "maps"
    mat = "mat"
    coco = "coco"
    annotations = "annotations"


class TagSource(Enum):
    """Where tags are read from."""

    maps = "maps"
    coco = "coco"
    annotations = "annotations"


@dataclass
class SplitConfig:
    """Group `data`: one split of a data set.

    Attributes:
        name: as it appears in reports.
        root: folder of the data set; relative to where the command is started.
        classes: built-in class table, or the path of a JSON file.
        split: folder name of the split.
        list: file with the ids to work on, one a line; null for all that have a photograph or label map.
        files: file-name templates.
        crop: tile of the crop grid that tags belong to.
        toy: settings of the generated data set, which is made by train.py; not used here.
    """

    name: str = MISSING
    root: str = MISSING
    classes: str = MISSING
    split: str = "train"
    list: str | None = None
    files: FileTemplates = field(default_factory=FileTemplates)
    crop: GridConfig = field(default_factory=GridConfig)
    toy: ToyCitySpec | None = None


@dataclass
class SourceConfig:
    """Group `source`: what labels are made from.

    Attributes:
        root: folder with seeds, masks in boxes, predictions and scores, laid out as the authors released theirs;
            null for the folder that results are written to, so that stages build on each other.
        boxes: `maps`: instance maps of the data set; `mat`: the authors' MATLAB files; `coco`: a COCO panoptic file;
            `annotations`: a weak-annotation file.
        tags: `maps`: label maps of the data set; `coco` and `annotations` as for boxes.
        mat: where the MATLAB file of an image lies below data.root.
        coco: COCO panoptic JSON; the PNGs lie in the folder beside it that is called like it without `.json`.
        annotations: weak-annotation file.
        checkpoint: last.ckpt of a trained crop classifier in its run folder, for seeds.
        heatmaps: instead of `checkpoint`, a folder of heatmaps that `seeds.keep_heatmaps` has kept, `ID.npz` each;
            their scales and mirror images stay as they are.
    """

    # Missing here, or a file of the group could not ask for it: `???` does not replace a value.
    root: str | None = MISSING
    boxes: BoxSource = BoxSource.maps
    tags: TagSource = TagSource.maps
    mat: str = "gtFine_bboxes/{split}/panoptic/{id}_leftImg8bit.mat"
    coco: str | None = None
    annotations: str | None = None
    checkpoint: str | None = None
    heatmaps: str | None = None


@dataclass
class MakeGtConfig:
    """Everything that make_gt.py can be told.

    Attributes:
        stage: what is made.
        out: folder that results are written to.
        round: of the labels: 0 starts from seeds, r >= 1 from the predictions of the r-th trained network.
        workers: processes; null for one a core.
        shard: `k/n` does the k-th of n parts of the images, counted from 0; null for all.
        on_error: stop at the first image that cannot be done, or skip it, do the rest and list it at the end.
        audit: also write which rule decided each pixel, tables of changes and pictures (stage labels), or scores of
            what is made against real labels, with pictures of the worst (stages masks and seeds).
        pictures: when auditing, number of images that pictures are made of; of the worst boxes and images ten at most.
        mat: also write the boxes as the authors' MATLAB files (stage boxes).
        coco: also write the labels as COCO panoptic (stage labels).
        data: data set.
        source: what labels are made from.
        masks: where masks in boxes come from (stage masks), and how a mask network is trained (stage mask_net).
        seeds: source of the first label maps (stage seeds).
        labels: rules of label making (stage labels).
    """

    stage: Stage = MISSING
    out: str = MISSING
    round: int = 0
    workers: int | None = None
    shard: str | None = None
    on_error: OnError = OnError.stop
    audit: bool = False
    pictures: int = 20
    mat: bool = False
    coco: bool = False
    data: SplitConfig = field(default_factory=SplitConfig)
    source: SourceConfig = field(default_factory=SourceConfig)
    masks: MasksConfig = field(default_factory=MasksConfig)
    seeds: dict[str, Any] = field(default_factory=dict)
    labels: LabelSettings = field(default_factory=LabelSettings)

    @property
    def part(self) -> tuple[int, int]:
        """Index and number of shards; (0, 1) for all images."""
        if self.shard is None:
            return 0, 1
        index, count = self.shard.split("/")
        return int(index), int(count)


def _check_templates(config: MakeGtConfig) -> None:
    """Refuse file names that are the same for every image, or that nobody can fill in; raises ConfigError."""
    templates: dict[str, tuple[str, tuple[str, ...]]] = {"source.mat": (config.source.mat, ("split", "id"))}
    for name, text in vars(config.data.files).items():
        templates[f"data.files.{name}"] = text, ("split", "group", "id")
    for key, (text, parts) in templates.items():
        known = ", ".join(f"{{{part}}}" for part in parts)
        try:
            text.format(**dict.fromkeys(parts, ""))
        except (AttributeError, IndexError, LookupError, ValueError) as error:
            raise ConfigError(f"{key}={text}: expected a file name in which {known} stand for parts of it") from error
        if key == "source.mat" and config.mat and (Path(text).is_absolute() or ".." in Path(text).parts):
            raise ConfigError(f"{key}={text}: with mat=true files are written there, so it must stay in out")
        if "{id}" not in text:
            raise ConfigError(f"{key}={text}: must hold {{id}}, which stands for the image id; it may hold {known}")


def _check_seeds(config: MakeGtConfig) -> None:
    """Check the source of seeds, and that it has what it needs and nothing else; raises ConfigError."""
    source = build(SeedSource, config.seeds, "seeds")
    checkpoint, heatmaps = config.source.checkpoint, config.source.heatmaps
    if config.stage is not Stage.seeds:
        return
    if heatmaps is not None:
        if "rule" not in config.seeds:
            raise ConfigError(
                "kept heatmaps need a rule", key="source.heatmaps", found=heatmaps, remedy="give seeds=cam, or leave it"
            )
        if checkpoint is not None or config.seeds.get("keep_heatmaps"):
            other = "seeds.keep_heatmaps=true" if checkpoint is None else f"source.checkpoint={checkpoint}"
            raise ConfigError(
                f"heatmaps are either read or made, and {other} makes them",
                key="source.heatmaps",
                found=heatmaps,
                remedy="leave one of them out",
            )
    elif source.needs_classifier and checkpoint is None:
        raise ConfigError(
            "stage=seeds with these seeds needs a trained crop classifier",
            key="source.checkpoint",
            remedy="give source.checkpoint=RUN/classifier/last.ckpt, or source.heatmaps=FOLDER where they were kept",
        )


def to_make_gt_config(composed: DictConfig) -> MakeGtConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = to_object(MakeGtConfig, composed)
    check_values({"round": config.round, "pictures": config.pictures}, lambda v: v >= 0, "0 or more")
    check_values(
        {
            "workers": 1 if config.workers is None else config.workers,
            "data.crop.height": config.data.crop.height,
            "data.crop.width": config.data.crop.width,
        },
        lambda v: v >= 1,
        "1 or more",
    )
    if config.shard is not None and re.fullmatch(r"\d+/[1-9]\d*", config.shard) is None:
        raise ConfigError(f"shard={config.shard}: expected k/n, for instance 0/4 for the first of four parts")
    index, count = config.part
    if index >= count:
        raise ConfigError(f"shard={config.shard}: parts count from 0, so the last one is {count - 1}/{count}")
    _check_templates(config)
    source = config.source
    for key, used in (("boxes", source.boxes.value), ("tags", source.tags.value)):
        for file in ("coco", "annotations"):
            if used == file and getattr(source, file) is None:
                raise ConfigError(f"source.{key}={used}: no file to read them from; give source.{file}=FILE")
    _check_seeds(config)
    if config.stage is Stage.mask_net and config.shard is not None:
        raise ConfigError(f"stage=mask_net with shard={config.shard}: one network learns from all images; leave it out")
    audited = (Stage.masks, Stage.seeds, Stage.labels)
    for key, stages in (("audit", audited), ("mat", (Stage.boxes,)), ("coco", (Stage.labels,))):
        if getattr(config, key) and config.stage not in stages:
            fitting = ", ".join(stage.value for stage in stages)
            raise ConfigError(f"{key}=true belongs to stage={fitting}, not to stage={config.stage.value}")
    return config
