"""Boxes and tags of one image at a time, from wherever the configuration says that they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.config.data import BoxSource, DataConfig, TagSource
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import Box, ImageAnnotation, WeakAnnotations
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.formats.coco import CocoPanoptic
from weakpan.data.formats.coco_weak import image_names
from weakpan.data.formats.mat_boxes import read_mat_boxes
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.tree_files import TreeFiles

Size = tuple[int, int]
"""Height and width of an image, pixels."""


@dataclass(frozen=True)
class AnnotationSource:
    """Reads boxes and tags; small when it is sent to worker processes, which open files themselves.

    Attributes:
        data: of the data set.
        catalog: class table.
        file: weak-annotation file; None where boxes and tags are read from elsewhere.
    """

    data: DataConfig
    catalog: Catalog
    file: Path | None = None

    @cached_property
    def _truth(self) -> GroundTruth:
        return GroundTruth(Path(self.data.root), self.data.train_split, self.catalog, self.data.files)

    @cached_property
    def _files(self) -> TreeFiles:
        return TreeFiles(Path(self.data.root), self.data.train_split)

    @property
    def grid(self) -> CropGrid:
        """The crop grid that the tags belong to: the file's, or the configured one."""
        if self.file is not None:
            return self.whole.grid
        return CropGrid(self.data.crop.height, self.data.crop.width)

    @property
    def whole(self) -> WeakAnnotations:
        """Annotations of all images at once; only of a file. Raises DataError."""
        assert self.file is not None
        return _read_annotations(self.file, _modified(self.file), self.catalog)

    def lazily(self, ids: Sequence[str]) -> WeakAnnotations:
        """Annotations of some images, each read when it is asked for: memory does not grow with their number."""
        return WeakAnnotations(
            self.catalog, self.grid, OneByOne(tuple(ids), partial(self.annotation, size=None, with_tags=True))
        )

    def check_files(self) -> None:
        """Read the files that hold all images, lest their faults are laid on a single one; raises DataError."""
        if self.file is not None:
            _ = self.whole
        elif BoxSource.coco is self.data.boxes or TagSource.coco is self.data.tags:
            _coco_names(self._coco, self.catalog)

    def ids(self) -> tuple[str, ...]:
        """Ids of all images that there are boxes of.

        Raises:
            DataError: there are none.
            ConfigError: the source has no list of its images.
        """
        if self.file is not None:
            return tuple(self.whole.images)
        match self.data.boxes:
            case BoxSource.ground_truth:
                return self._truth.ids()
            case BoxSource.coco:
                return tuple(_coco_names(self._coco, self.catalog))
        raise ConfigError(
            "needs a list of images", key="data.boxes", found=self.data.boxes.value, remedy="give data.train_list=FILE"
        )

    def image_path(self, image_id: str) -> Path:
        """Path of an image; raises DataError if there is none."""
        path = self.find_image(image_id)
        if path is None:
            raise DataError(
                f"image {image_id}: no such file",
                path=self.missing_image(image_id),
                remedy="add it, or take the id out of the list",
            )
        return path

    def find_image(self, image_id: str) -> Path | None:
        """Path of an image, or None if there is none."""
        return self._files.find(self.data.files.image, image_id)

    def missing_image(self, image_id: str) -> Path | None:
        """The image that is not there, or None."""
        return None if self.find_image(image_id) else self._files.expected(self.data.files.image, image_id)

    def missing(self, image_id: str, with_tags: bool) -> Path | None:
        """A file with the boxes or tags of an image that is not there, by its presence alone."""
        if self.file is not None:
            return None
        if self.data.boxes is BoxSource.mat and not self._mat_path(image_id).is_file():
            return self._mat_path(image_id)
        boxes = self._truth.missing_instances(image_id) if self.data.boxes is BoxSource.ground_truth else None
        if boxes is not None or not with_tags or self.data.tags is not TagSource.ground_truth:
            return boxes
        return self._truth.missing_classes(image_id)

    def boxes(self, image_id: str, size: Size | None = None) -> tuple[Size, tuple[Box, ...]]:
        """Size and boxes of an image; `size` is the one that it must have, None where the source itself knows it.

        Raises:
            DataError: no boxes of this image, damaged ones, or an image of another size.
        """
        if self.file is not None:
            entry = self._entry(image_id)
            found, boxes = (entry.height, entry.width), entry.boxes
        elif self.data.boxes is BoxSource.ground_truth:
            found, boxes = self._truth.boxes(image_id)
        elif self.data.boxes is BoxSource.coco:
            truth = self._coco_truth(image_id)
            found = truth.semantic.shape[0], truth.semantic.shape[1]
            boxes = boxes_from_maps(truth.semantic, truth.instances, self.catalog)
        else:
            if size is None:
                size, _ = self._truth.tags(image_id, self.grid)
            found, boxes = size, read_mat_boxes(self._mat_path(image_id), self.catalog, size)
        return _same_size(image_id, "boxes", found, size), boxes

    def tags(self, image_id: str, size: Size | None = None) -> tuple[Size, tuple[frozenset[int], ...]]:
        """Size of an image and tags of its crops; arguments and errors as for `boxes`."""
        if self.file is not None:
            entry = self._entry(image_id)
            found, tags = (entry.height, entry.width), entry.tags
        elif self.data.tags is TagSource.ground_truth:
            found, tags = self._truth.tags(image_id, self.grid)
        else:
            semantic = self._coco_truth(image_id).semantic
            found, tags = (semantic.shape[0], semantic.shape[1]), self.grid.tags(semantic)
        return _same_size(image_id, "tags", found, size), tags

    def annotation(self, image_id: str, size: Size | None, with_tags: bool) -> ImageAnnotation:
        """Boxes and, where they are asked for, tags of an image; errors as for `boxes`."""
        size, boxes = self.boxes(image_id, size)
        tags = self.tags(image_id, size)[1] if with_tags else ()
        return ImageAnnotation(image_id, *size, boxes, tags)

    def _entry(self, image_id: str) -> ImageAnnotation:
        try:
            return self.whole.images[image_id]
        except KeyError:
            raise DataError(
                f"no entry of image {image_id}",
                path=self.file,
                remedy="annotate it, or leave it out with data.train_list",
            ) from None

    @property
    def _coco(self) -> Path:
        return Path(str(self.data.coco))

    def _coco_truth(self, image_id: str) -> PanopticTruth:
        coco_id = _coco_names(self._coco, self.catalog).get(image_id)
        if coco_id is None:
            raise DataError(f"no annotation of image {image_id}", path=self._coco)
        return _open_coco(self._coco, self.catalog).truth(coco_id)

    def _mat_path(self, image_id: str) -> Path:
        return Path(self.data.root) / self.data.mat.format(split=self.data.train_split, id=image_id)


@dataclass(frozen=True)
class OneByOne(Mapping[str, ImageAnnotation]):
    """Annotations of images, each made when it is asked for.

    Attributes:
        ids: of the images.
        make: from an image id to its annotation.
    """

    ids: tuple[str, ...]
    make: Callable[[str], ImageAnnotation]

    def __getitem__(self, image_id: str) -> ImageAnnotation:
        return self.make(image_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def _same_size(image_id: str, what: str, found: Size, expected: Size | None) -> Size:
    if expected is not None and found != expected:
        raise DataError(
            f"image {image_id}: its {what} are of {found[0]} x {found[1]} pixels (height x width), its maps have "
            f"{expected[0]} x {expected[1]}; all must be of the same size"
        )
    return found


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


# A process reads a file once, however many images it is asked for, and again when it was corrected.
@lru_cache(maxsize=2)
def _read_annotations(path: Path, modified: int | None, catalog: Catalog) -> WeakAnnotations:  # noqa: ARG001
    return read_weak_annotations(path, catalog)


@lru_cache(maxsize=2)
def _open_coco(path: Path, catalog: Catalog) -> CocoPanoptic:
    return CocoPanoptic(path, catalog)


@lru_cache(maxsize=2)
def _coco_names(path: Path, catalog: Catalog) -> dict[str, str]:
    return image_names(_open_coco(path, catalog))
