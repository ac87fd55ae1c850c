"""Boxes and tags from the label maps of a Cityscapes tree alone: no photograph is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import CITYSCAPES, Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box
from weakpan.data.boxes import INSTANCE_BASE, boxes_from_ids
from weakpan.data.crops import CropGrid
from weakpan.data.image_tree import LICENSE_PLATE, FileTemplates
from weakpan.storage.images import read_map
from weakpan.storage.layout import checked_id


@dataclass(frozen=True)
class LabelMaps:
    """Label maps of one split, found by image id.

    Where both kinds of maps exist, those of train ids are read with Cityscapes' own class table, as in the authors'
    released code, and those of dataset ids with any other, because train ids are numbered by one table.

    Attributes:
        root: of the tree.
        split: folder name, for instance `train`.
        catalog: class table.
        templates: file names.
    """

    root: Path
    split: str
    catalog: Catalog
    templates: FileTemplates = field(default_factory=FileTemplates)

    def ids(self) -> tuple[str, ...]:
        """Ids of all images that have an instance map, sorted.

        Raises:
            DataError: no such folder, or no map in it.
        """
        if not self.root.is_dir():
            raise DataError(f"data.root={self.root}: no such folder; set data.root to the data set's root")
        found = self._ids_of(self.templates.instance_train_ids) | self._ids_of(self.templates.instance_ids)
        if not found:
            raise DataError(
                f"data.root={self.root}: no instance map matches {self.templates.instance_ids} in split {self.split}; "
                "check data.split and data.files"
            )
        return tuple(sorted(found))

    def _ids_of(self, template: str) -> frozenset[str]:
        """Ids of the files that follow a template."""
        return frozenset(match["id"] for match in self._matches(template))

    def _matches(self, template: str) -> Iterator[re.Match[str]]:
        """`id` and, where the template has it, `group` of every file that follows it."""
        pattern = re.escape(template.format(split=self.split, group="{group}", id="{id}"))
        for part in ("group", "id"):
            # Where a part occurs again it must be the same again.
            place = re.escape(f"{{{part}}}")
            pattern = pattern.replace(place, f"(?P<{part}>[^/]+)", 1).replace(place, f"(?P={part})")
        for path in self.root.glob(template.format(split=self.split, group="*", id="*")):
            match = re.fullmatch(pattern, path.relative_to(self.root).as_posix())
            if match is not None:
                yield match

    @property
    def _instance_templates(self) -> tuple[str, ...]:
        return self._in_order(self.templates.instance_train_ids, self.templates.instance_ids)

    @property
    def _label_templates(self) -> tuple[str, ...]:
        return self._in_order(self.templates.label_train_ids, self.templates.label_ids)

    def _in_order(self, train_ids: str, dataset_ids: str) -> tuple[str, ...]:
        return (train_ids, dataset_ids) if self.catalog.names == CITYSCAPES.names else (dataset_ids, train_ids)

    def boxes(self, image_id: str) -> tuple[tuple[int, int], tuple[Box, ...]]:
        """(height, width) and boxes of an image from its instance map.

        Raises:
            DataError: no instance map, a damaged one, or a value outside the class table.
        """
        path, in_train_ids = self._find(image_id, *self._instance_templates)
        ids = read_map(path)
        # Maps of 8 and 16 bits are what `read_map` gives nearly always.
        if ids.dtype == np.int32 and (ids.min(initial=0) < 0 or ids.max(initial=0) > np.iinfo(np.uint16).max):
            raise DataError(f"{path}: values {ids.min()} to {ids.max()}; expected an instance map of 16 bits")
        ids16 = ids.astype(np.uint16, copy=False)
        values = np.flatnonzero(cv2.calcHist([ids16], [0], None, [65536], [0, 65536]).ravel())
        return (ids.shape[0], ids.shape[1]), boxes_from_ids(
            ids16, self._table(values, in_train_ids, path), self.catalog
        )

    def tags(self, image_id: str, grid: CropGrid) -> tuple[tuple[int, int], tuple[frozenset[int], ...]]:
        """(height, width) and tags of every tile of an image from its label map.

        Raises:
            DataError: no label map, a damaged one, or a value outside the class table.
        """
        path, in_train_ids = self._find(image_id, *self._label_templates)
        labels = read_map(path)
        if labels.dtype != np.uint8:
            raise DataError(f"{path}: {labels.dtype}; expected a label map of 8 bits")
        # The few values of the tiles are translated, not the pixels. Tiles cover the image.
        in_tiles = grid.values(labels.astype(np.uint8, copy=False))
        values = np.array(sorted(set().union(*in_tiles)), np.intp)
        table = self._table(values, in_train_ids, path)
        tags = tuple(frozenset(table[found].tolist()) - {IGNORE} for found in in_tiles)
        return (labels.shape[0], labels.shape[1]), tags

    def photograph(self, image_id: str) -> Path | None:
        """The photograph of an image, if there is one."""
        found = self._existing(image_id, (self.templates.image,))
        return None if found is None else found[0]

    def missing_photograph(self, image_id: str) -> Path | None:
        """The photograph that is not there, or None."""
        return self._missing(image_id, self.templates.image)

    def missing_instances(self, image_id: str) -> Path | None:
        """The instance map that is not there, or None."""
        return self._missing(image_id, *self._instance_templates)

    def missing_labels(self, image_id: str) -> Path | None:
        """The label map that is not there, or None."""
        return self._missing(image_id, *self._label_templates)

    def _missing(self, image_id: str, *templates: str) -> Path | None:
        if self._existing(image_id, templates) is not None:
            return None
        return self.root / templates[-1].format(split=self.split, group="*", id=image_id)

    def _existing(self, image_id: str, templates: tuple[str, ...]) -> tuple[Path, bool] | None:
        """The first file that exists, and whether it is a map of train ids."""
        checked_id(image_id, remedy="correct the list or file that it comes from")
        for template in templates:
            # Cityscapes' ids begin with their group, so that the first look nearly always finds the file.
            for group in sorted(self._groups(template), key=lambda g: not image_id.startswith(g)):
                path = self.root / template.format(split=self.split, group=group, id=image_id)
                if path.is_file():
                    return path, template in (self.templates.instance_train_ids, self.templates.label_train_ids)
        return None

    @cached_property
    def _groups_of(self) -> dict[str, tuple[str, ...]]:
        return {}

    def _groups(self, template: str) -> tuple[str, ...]:
        """What stands for the group in a template, mostly names of folders; one empty name where it has none."""
        if template not in self._groups_of:
            before, group, after = template.partition("{group}")
            if not group:
                names = {""}
            elif before[-1:] in ("", "/") and after[:1] == "/" and "{id}" not in before:
                folder = self.root / before.format(split=self.split)
                names = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
            else:
                names = {match["group"] for match in self._matches(template)}
            self._groups_of[template] = tuple(sorted(names))
        return self._groups_of[template]

    def _find(self, image_id: str, *templates: str) -> tuple[Path, bool]:
        found = self._existing(image_id, templates)
        if found is None:
            wanted = " or ".join(str(self.root / t.format(split=self.split, group="*", id=image_id)) for t in templates)
            raise DataError(f"image {image_id}: no label map {wanted}; add it, or take the id out of the list")
        return found

    def _table(self, values: npt.NDArray[np.intp], in_train_ids: bool, path: Path) -> npt.NDArray[np.uint8]:
        """(65536,) train id of every value of a map that holds these values."""
        classes = np.where(values >= INSTANCE_BASE, values // INSTANCE_BASE, values)
        classes[values == LICENSE_PLATE] = IGNORE
        translate = self.catalog.check_train_ids if in_train_ids else self.catalog.to_train_ids
        table = np.full(65536, IGNORE, np.uint8)
        table[values] = translate(classes, str(path))
        return table
