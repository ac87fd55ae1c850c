"""What the scripts may be told about data sets: the configuration group `data`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING

from weakpan.data.image_tree import FileTemplates
from weakpan.toy_city.city import ToyCitySpec


@dataclass
class GridConfig:
    """Tile of the crop grid, pixels of the photograph."""

    height: int = 400
    width: int = 500


@dataclass
class DataConfig:
    """Group `data`: where photographs and annotations come from.

    Attributes:
        name: as it appears in reports.
        root: folder of the data set; relative to where the command is started.
        classes: built-in class table, or the path of a JSON file.
        train_split: folder name of the training split.
        val_split: folder name of the split that scores are made on; null for none.
        train_list: file with ids that the training split is restricted to; null for all.
        val_list: the same for the validation split.
        files: file-name templates.
        crop: tile of the crop grid that tags are derived for; a weak-annotation file brings its own.
        weak_annotations: weak-annotation file of the training split; null derives one from its real labels, once.
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
    toy: ToyCitySpec | None = None
    workers: int = 2


class OnError(Enum):
    """Stop at the first such image, or skip it, do the rest and list it at the end."""

    stop = "stop"
    skip = "skip"
