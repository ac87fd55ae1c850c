"""The one reader of ground truth: label maps of a data set laid out like Cityscapes.

What makes masks, seeds and pseudo labels, and what trains on them, does not import this module: boxes and tags are
derived with it once, images with full supervision are read with it, and results are scored against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.basics.catalog import CITYSCAPES, Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box
from weakpan.data.boxes import INSTANCE_BASE, boxes_from_ids
from weakpan.data.crops import CropGrid
from weakpan.data.image_tree import ImageTree
from weakpan.data.tree_files import FileTemplates, TreeFiles
from weakpan.storage.images import inspect_image, read_map

LICENSE_PLATE = 65535
"""Label id -1 of the official tools, as it reads back from 16 bits; it is ignored in every class table."""

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

Size = tuple[int, int]
"""Height and width of an image, pixels."""


@dataclass(frozen=True)
class GroundTruth:
    """Label maps of one split, found by image id; images themselves are not needed.

    **Which file is read.** A data set may have its maps twice, in its own ids and in train ids, and the two need not
    agree: of Cityscapes they differ by a pixel along borders, depending on who drew the polygons.

    * Boxes and tags, which stand for a person's annotation, come from train ids where Cityscapes' own class table is
      used, as in the authors' released code, and else from dataset ids, because train ids are numbered by one table.
    * What results are scored against and full supervision learns from comes from dataset ids, as in the official
      evaluation; only these hold instances of ignored classes, which average precision does not excuse as void. Classes
      and instances are of the same kind.

    Where the first is missing the other is read, and an instance map takes the place of a label map that is missing.

    All readers raise DataError for a map that is missing, damaged or holds a value outside the class table.

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

    @classmethod
    def of(cls, tree: ImageTree) -> GroundTruth:
        """The label maps that lie beside some images."""
        return cls(tree.root, tree.split, tree.catalog, tree.templates)

    @cached_property
    def _files(self) -> TreeFiles:
        return TreeFiles(self.root, self.split)

    @property
    def _box_maps(self) -> tuple[str, ...]:
        return self._in_order(self.templates.instance_train_ids, self.templates.instance_ids)

    @property
    def _tag_maps(self) -> tuple[str, ...]:
        return (*self._in_order(self.templates.label_train_ids, self.templates.label_ids), *self._box_maps)

    def _in_order(self, train_ids: str, dataset_ids: str) -> tuple[str, str]:
        return (train_ids, dataset_ids) if self.catalog.names == CITYSCAPES.names else (dataset_ids, train_ids)

    @property
    def _kinds(self) -> tuple[tuple[str, str], ...]:
        """Label and instance map of each kind, those of dataset ids first."""
        names = self.templates
        return (names.label_ids, names.instance_ids), (names.label_train_ids, names.instance_train_ids)

    def ids(self) -> tuple[str, ...]:
        """Ids of all images that have an instance map, sorted.

        Raises:
            DataError: no such folder, or no map in it.
        """
        if not self.root.is_dir():
            raise DataError(
                "no such folder", key="data.root", found=self.root, remedy="set data.root to the data set's root"
            )
        found = {image_id for template in self._box_maps for _, image_id, _ in self._files.matches(template)}
        if not found:
            raise DataError(
                f"no instance map matches {self.templates.instance_ids} in split {self.split}",
                key="data.root",
                found=self.root,
                remedy="check the split and data.files",
            )
        return tuple(sorted(found))

    def has(self, image_id: str) -> bool:
        """Whether an image has an instance map."""
        return self._first(image_id, self._box_maps) is not None

    def missing_instances(self, image_id: str) -> Path | None:
        """The instance map that is not there, by its presence alone, or None."""
        return None if self.has(image_id) else self._files.expected(self.templates.instance_ids, image_id)

    def missing_classes(self, image_id: str) -> Path | None:
        """The label map that is not there, or None; an instance map in its place will do."""
        there = self._first(image_id, self._tag_maps) is not None
        return None if there else self._files.expected(self.templates.label_ids, image_id)

    def files(self, image_id: str) -> list[Path]:
        """All label maps of an image that are there."""
        found = (self._files.find(template, image_id) for kind in self._kinds for template in kind)
        return [path for path in found if path is not None]

    def boxes(self, image_id: str) -> tuple[Size, tuple[Box, ...]]:
        """Height and width of an image and its boxes, in the order of the authors' released code."""
        found = self._read(image_id, self._box_maps)
        return found.size, boxes_from_ids(found.ids.astype(np.uint16, copy=False), found.train_ids, self.catalog)

    def tags(self, image_id: str, grid: CropGrid) -> tuple[Size, tuple[frozenset[int], ...]]:
        """Height and width of an image and the tags of each crop of a grid, row by row."""
        found = self._read(image_id, self._tag_maps)
        return found.size, grid.tags(found.semantic)

    def classes(self, image_id: str) -> SemanticMap:
        """Classes of an image: (H, W) train ids, 255 ignored; also raises DataError for a map of another size."""
        found = self._read(image_id, tuple(template for kind in self._kinds for template in kind))
        self._check_size(image_id, found)
        return found.semantic

    def panoptic(self, image_id: str) -> PanopticTruth:
        """Classes and instances of an image; also raises DataError for maps of another size."""
        found = self._read(image_id, tuple(instances for _, instances in self._kinds))
        classes = self._read(image_id, self._kinds[found.in_train_ids])
        for one in (found, classes):
            self._check_size(image_id, one)
        if found.size != classes.size:
            raise DataError(f"{classes.path}: {classes.size} pixels, {found.path.name} has {found.size}")
        semantic = classes.semantic
        counts = self.catalog.is_thing[semantic] | (semantic == IGNORE)
        return PanopticTruth(semantic, np.where(counts, found.numbers, 0))

    def _first(self, image_id: str, templates: tuple[str, ...]) -> tuple[Path, str] | None:
        """The first file that is there, and its template."""
        for template in templates:
            path = self._files.find(template, image_id)
            if path is not None:
                return path, template
        return None

    def _read(self, image_id: str, templates: tuple[str, ...]) -> _LabelMap:
        found = self._first(image_id, templates)
        if found is None:
            wanted = " or ".join(str(self._files.expected(template, image_id)) for template in templates)
            raise DataError(f"image {image_id}: no label map {wanted}; add it, or take the id out of the list")
        path, template = found
        in_train_ids = template in (self.templates.instance_train_ids, self.templates.label_train_ids)
        ids = read_map(path)
        # Maps of 8 and 16 bits are what `read_map` gives nearly always.
        if ids.dtype == np.int32:
            if ids.min(initial=0) < 0 or ids.max(initial=0) > np.iinfo(np.uint16).max:
                raise DataError(f"{path}: values {ids.min()} to {ids.max()}; expected a label map of 16 bits")
            ids = ids.astype(np.uint16)
        assert ids.dtype in (np.uint8, np.uint16)
        values = np.flatnonzero(cv2.calcHist([ids], [0], None, [65536], [0, 65536]).ravel())
        of_classes = np.where(values >= INSTANCE_BASE, values // INSTANCE_BASE, values)
        of_classes[values == LICENSE_PLATE] = IGNORE
        translate = self.catalog.check_train_ids if in_train_ids else self.catalog.to_train_ids
        train_ids = np.full(65536, IGNORE, np.uint8)
        train_ids[values] = translate(of_classes, str(path))
        return _LabelMap(path, cast(Ids, ids), train_ids, in_train_ids)

    def _check_size(self, image_id: str, found: _LabelMap) -> None:
        """Hold a map against its image, where that is there."""
        image = self._files.find(self.templates.image, image_id)
        if image is not None and (size := inspect_image(image)) != found.size:
            raise DataError(
                f"{found.path}: {found.size[0]} x {found.size[1]} pixels (height x width), its image has "
                f"{size[0]} x {size[1]}"
            )


@dataclass(frozen=True)
class _LabelMap:
    """A map as data sets store it.

    Attributes:
        path: of the file.
        ids: (H, W) uint8 or uint16: `class * 1000 + n` for an instance, the bare class for the rest.
        train_ids: (65536,) uint8, train id of every value of `ids`.
        in_train_ids: whether classes are train ids already.
    """

    path: Path
    ids: Ids
    train_ids: npt.NDArray[np.uint8]
    in_train_ids: bool

    @property
    def size(self) -> Size:
        return self.ids.shape[0], self.ids.shape[1]

    @cached_property
    def semantic(self) -> SemanticMap:
        """(H, W) train ids, 255 ignored."""
        if self.ids.dtype == np.uint8:
            return cv2.LUT(self.ids, self.train_ids[:256]).astype(np.uint8, copy=False)
        return self.train_ids[self.ids]

    @property
    def numbers(self) -> InstanceMap:
        """(H, W) int32: n + 1 for the n-th instance of a class, of any class, 0 for the rest."""
        ids = self.ids.astype(np.int32)
        return np.where((ids >= INSTANCE_BASE) & (ids != LICENSE_PLATE), ids % INSTANCE_BASE + 1, 0).astype(np.int32)
