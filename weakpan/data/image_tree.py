"""Reader for the Cityscapes tree, and for any data set laid out like it.

File names are templates with `{split}`, `{group}` (the city or sequence folder) and `{id}`, so that a data set with
other suffixes or folders needs only configuration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from weakpan.basics.arrays import IGNORE, InstanceMap, RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.boxes import INSTANCE_BASE
from weakpan.storage.images import inspect_image, read_map, read_rgb
from weakpan.storage.layout import checked_id

LICENSE_PLATE = 65535
"""Label id -1 of the official tools, as it reads back from 16 bits; it is ignored in every class table."""


@dataclass
class FileTemplates:
    """Where the files of an image lie below the root.

    Attributes:
        image: the photograph.
        label_ids: map of dataset ids (8 bits).
        instance_ids: map of dataset ids and `id * 1000 + n` (16 bits).
        label_train_ids: the same as `label_ids` in train ids; read where `label_ids` does not exist.
        instance_train_ids: the same as `instance_ids` in train ids.
    """

    image: str = "leftImg8bit/{split}/{group}/{id}_leftImg8bit.png"
    label_ids: str = "gtFine/{split}/{group}/{id}_gtFine_labelIds.png"
    instance_ids: str = "gtFine/{split}/{group}/{id}_gtFine_instanceIds.png"
    label_train_ids: str = "gtFine/{split}/{group}/{id}_gtFine_labelTrainIds.png"
    instance_train_ids: str = "gtFine/{split}/{group}/{id}_gtFine_instanceTrainIds.png"


@dataclass(frozen=True)
class CityscapesSplit:
    """The images of one split and, where there are any, their real labels.

    Attributes:
        root: of the tree.
        split: folder name, for instance `train`.
        catalog: class table.
        templates: file names.
        only_ids: restricts the split to these image ids, in this order; None for all, sorted.

    Raises:
        DataError: on first use, for a missing root, a split without images or an id without an image.
    """

    root: Path
    split: str
    catalog: Catalog
    templates: FileTemplates = field(default_factory=FileTemplates)
    only_ids: Sequence[str] | None = None

    @cached_property
    def _groups(self) -> dict[str, str]:
        """Group folder by image id."""
        if not self.root.is_dir():
            raise DataError(f"data.root={self.root}: no such folder; set data.root to the data set's root")
        template = self.templates.image.replace("{split}", self.split)
        pattern = re.compile(
            re.escape(template).replace(r"\{group\}", r"(?P<group>[^/]+)").replace(r"\{id\}", r"(?P<id>[^/]+)")
        )
        found: dict[str, str] = {}
        for path in sorted(self.root.glob(template.replace("{group}", "*").replace("{id}", "*"))):
            match = pattern.fullmatch(path.relative_to(self.root).as_posix())
            if match is None:
                continue
            image_id, group = match["id"], match.groupdict().get("group", "")
            if image_id in found:
                raise DataError(f"{path}: image id {image_id} also lies in {found[image_id]}; ids must be unique")
            found[image_id] = group
        if not found:
            raise DataError(
                f"data.root={self.root}: no image matches {template}; check the split name and data.files.image"
            )
        return found

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids, sorted or in the order of `only_ids`."""
        if self.only_ids is None:
            return tuple(sorted(self._groups))
        missing = [i for i in self.only_ids if i not in self._groups]
        if missing:
            raise DataError(
                f"{len(missing)} ids of the list have no image in split {self.split} of {self.root}, "
                f"for instance {missing[0]}; correct the list"
            )
        return tuple(self.only_ids)

    def _path(self, template: str, image_id: str) -> Path:
        return self.root / template.format(split=self.split, group=self._groups[image_id], id=image_id)

    def image_path(self, image_id: str) -> Path:
        """Path of the photograph."""
        return self._path(self.templates.image, image_id)

    def image(self, image_id: str) -> RGBImage:
        """The photograph as (H, W, 3) uint8, RGB."""
        return read_rgb(self.image_path(image_id))

    def image_size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of the photograph from its header; DataError if the file is truncated."""
        return inspect_image(self.image_path(image_id))

    def has_truth(self, image_id: str) -> bool:
        """Whether real labels of this image are there."""
        return any(
            self._path(instance, image_id).is_file()
            for instance in (self.templates.instance_ids, self.templates.instance_train_ids)
        )

    def truth_files(self, image_id: str) -> list[Path]:
        """The files of real labels of this image that are there."""
        names = self.templates
        kinds = (names.instance_ids, names.label_ids, names.instance_train_ids, names.label_train_ids)
        return [path for path in (self._path(kind, image_id) for kind in kinds) if path.is_file()]

    def truth(self, image_id: str) -> PanopticTruth:
        """Real labels of one image.

        Raises:
            DataError: no label file, a damaged one, maps of different sizes, or an id outside the class table.
        """
        in_train_ids = not self._path(self.templates.instance_ids, image_id).is_file()
        names = self.templates
        instance_path = self._path(names.instance_train_ids if in_train_ids else names.instance_ids, image_id)
        label_path = self._path(names.label_train_ids if in_train_ids else names.label_ids, image_id)
        raw = read_map(instance_path).astype(np.int32)
        size = self.image_size(image_id)
        if raw.shape != size:
            raise DataError(
                f"{instance_path}: {raw.shape[0]} x {raw.shape[1]} pixels, its image has {size[0]} x {size[1]}"
            )
        is_instance = (raw >= INSTANCE_BASE) & (raw != LICENSE_PLATE)
        classes = np.where(is_instance, raw // INSTANCE_BASE, np.where(raw == LICENSE_PLATE, IGNORE, raw))
        translate = self.catalog.check_train_ids if in_train_ids else self.catalog.to_train_ids
        semantic: SemanticMap = translate(classes, str(instance_path))
        if label_path.is_file():
            labels = read_map(label_path)
            if labels.shape != raw.shape:
                raise DataError(f"{label_path}: {labels.shape} pixels, {instance_path.name} has {raw.shape}")
            semantic = translate(labels, str(label_path))
        # Instances of ignored classes keep their number: the official average precision does not excuse them as void.
        numbered = is_instance & (self.catalog.is_thing[semantic] | (semantic == IGNORE))
        instances: InstanceMap = np.where(numbered, raw % INSTANCE_BASE + 1, 0).astype(np.int32)
        return PanopticTruth(semantic, instances)


def read_id_list(path: Path) -> tuple[str, ...]:
    """Image ids from a text file, one a line; blank lines are skipped.

    Raises:
        DataError: no such file, no id in it, an id twice, or one that is a path.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as a list of image ids ({error})") from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise DataError(f"{path}: no image id in it; expected one a line")
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise DataError(f"{path}: image id {twice} occurs twice; keep one")
    for image_id in ids:
        checked_id(image_id, path, "correct the list: ids are file names without folder and suffix")
    return tuple(ids)
