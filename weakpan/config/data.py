"""What the scripts may be told about data sets: the configuration group `data`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import at_least, setting
from weakpan.data.tree_files import FileTemplates
from weakpan.toy_city.city import ToyCitySpec


class BoxSource(Enum):
    """Where boxes are read from, unless there is a weak-annotation file."""

    ground_truth = "ground_truth"
    mat = "mat"
    coco = "coco"


class TagSource(Enum):
    """Where tags are read from, unless there is a weak-annotation file."""

    ground_truth = "ground_truth"
    coco = "coco"


class OnError(Enum):
    """Stop at the first such image, or skip it, do the rest and list it at the end."""

    stop = "stop"
    skip = "skip"


TOY = "toy_city"
"""Name of the data set that is generated."""


@dataclass
class GridConfig:
    """Crop of the tag grid, pixels of the image."""

    height: int = setting(400, at_least(1))
    width: int = setting(500, at_least(1))


@dataclass
class DataConfig:
    """Group `data`: where images and annotations come from.

    Attributes:
        name: as it appears in reports.
        root: folder of the data set; relative to where the command is started.
        classes: built-in class table, or the path of a JSON file.
        train_split: folder name of the training split.
        val_split: folder name of the split that scores are made on; null for none.
        train_list: file with ids that the training split is restricted to; null for all.
        val_list: the same for the validation split.
        files: file-name templates.
        crop: crop of the grid that tags are derived for; a weak-annotation file brings its own.
        weak_annotations: file with boxes and tags of the training split; null reads them from elsewhere, once.
        boxes: without that file, where boxes are read from: the ground truth, the authors' MATLAB files, or a COCO
            panoptic file.
        tags: the same for tags.
        mat: where the MATLAB file of an image lies below `root`.
        coco: COCO panoptic JSON; its PNGs lie in the folder beside it that is called like it without `.json`.
        toy: settings of the generated data set; null for data that is there already.
        workers: loader processes for each loader.
    """

    name: str = MISSING
    root: str = MISSING
    classes: str = MISSING
    train_split: str = "train"
    val_split: str | None = "val"
    train_list: str | None = None
    val_list: str | None = None
    files: FileTemplates = field(default_factory=FileTemplates)
    crop: GridConfig = field(default_factory=GridConfig)
    weak_annotations: str | None = None
    boxes: BoxSource = BoxSource.ground_truth
    tags: TagSource = TagSource.ground_truth
    mat: str = "gtFine_bboxes/{split}/panoptic/{id}_leftImg8bit.mat"
    coco: str | None = None
    toy: ToyCitySpec | None = None
    workers: int = setting(2, at_least(0))


def check_data(data: DataConfig) -> None:
    """Refuse file names that are the same for every image, or that nobody can fill in, and sources without a file.

    Raises:
        ConfigError: with the full key.
    """
    if data.toy is not None and data.name != TOY:
        # Scenes would be drawn into a folder that is meant to hold somebody's data.
        raise ConfigError(
            f"scenes are generated for data={TOY} alone, not for {data.name}",
            key="data.toy",
            found="{...}",
            remedy="give data.toy=null, and leave out debug=fast, which generates scenes",
        )
    templates: dict[str, tuple[str, tuple[str, ...]]] = {"data.mat": (data.mat, ("split", "id"))}
    for name, text in vars(data.files).items():
        templates[f"data.files.{name}"] = text, ("split", "group", "id")
    for key, (text, parts) in templates.items():
        known = ", ".join(f"{{{part}}}" for part in parts)
        try:
            text.format(**dict.fromkeys(parts, ""))
        except (AttributeError, IndexError, LookupError, ValueError) as error:
            raise ConfigError(
                f"expected a file name in which {known} stand for parts of it", key=key, found=text
            ) from error
        if "{id}" not in text:
            raise ConfigError(
                f"must hold {{id}}, which stands for the image id; it may hold {known}", key=key, found=text
            )
    for key, source in (("data.boxes", data.boxes), ("data.tags", data.tags)):
        if source.value == "coco" and data.coco is None:
            raise ConfigError("no file to read from", key=key, found="coco", remedy="give data.coco=FILE")
