"""Boxes and tags of one image at a time, from wherever the configuration says that they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.config.make_gt import BoxSource, SourceConfig, SplitConfig, TagSource
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import Box, ImageAnnotation, WeakAnnotations
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.formats.coco import CocoPanoptic
from weakpan.data.formats.coco_weak import image_names
from weakpan.data.formats.mat_boxes import read_mat_boxes
from weakpan.data.label_maps import LabelMaps

Size = tuple[int, int]
"""Height and width of an image, pixels."""


@dataclass(frozen=True)
class WeakSource:
    """Reads boxes and tags; small when it is sent to worker processes, which open files themselves.

    Attributes:
        data: the split.
        source: where boxes and tags are.
        catalog: class table.
    """

    data: SplitConfig
    source: SourceConfig
    catalog: Catalog

    @cached_property
    def maps(self) -> LabelMaps:
        """Label maps of the data set."""
        return LabelMaps(Path(self.data.root), self.data.split, self.catalog, self.data.files)

    @property
    def grid(self) -> CropGrid:
        """The crop grid that the tags belong to: the file's, or the configured one."""
        if self.source.tags is TagSource.annotations:
            return self._annotations.grid
        return CropGrid(self.data.crop.height, self.data.crop.width)

    @property
    def _annotations(self) -> WeakAnnotations:
        return _read_annotations(Path(str(self.source.annotations)), self.catalog)

    def check_files(self) -> None:
        """Read the files that hold all images, so that what is wrong with them is laid on no single image.

        Raises:
            DataError: such a file is missing or damaged.
        """
        used = {self.source.boxes.value, self.source.tags.value}
        if BoxSource.annotations.value in used:
            _read_annotations(Path(str(self.source.annotations)), self.catalog)
        if BoxSource.coco.value in used:
            _coco_names(Path(str(self.source.coco)), self.catalog)

    def ids(self) -> tuple[str, ...]:
        """Ids of all images that there are boxes of.

        Raises:
            DataError: there are none.
            ConfigError: the source has no list of its images.
        """
        match self.source.boxes:
            case BoxSource.maps:
                return self.maps.ids()
            case BoxSource.annotations:
                return tuple(self._annotations.images)
            case BoxSource.coco:
                return tuple(_coco_names(Path(str(self.source.coco)), self.catalog))
        raise ConfigError(f"source.boxes={self.source.boxes.value} needs a list of images; give data.list=FILE")

    def photograph(self, image_id: str) -> Path:
        """The photograph of an image; raises DataError if there is none."""
        path = self.maps.photograph(image_id)
        if path is None:
            raise DataError(
                f"image {image_id}: no photograph {self.maps.missing_photograph(image_id)}; add it, or take the id out "
                "of the list"
            )
        return path

    def missing_boxes(self, image_id: str) -> Path | None:
        """The file with the boxes of an image if it is not there, by its presence alone."""
        if self.source.boxes is BoxSource.mat and not self._mat_path(image_id).is_file():
            return self._mat_path(image_id)
        return self.maps.missing_instances(image_id) if self.source.boxes is BoxSource.maps else None

    def missing_tags(self, image_id: str) -> Path | None:
        """The file with the tags of an image if it is not there, by its presence alone."""
        return self.maps.missing_labels(image_id) if self.source.tags is TagSource.maps else None

    def boxes(self, image_id: str, size: Size | None = None) -> tuple[Size, tuple[Box, ...]]:
        """Size and boxes of an image.

        Args:
            image_id: of the image.
            size: that it must have; None where the source itself knows it.

        Raises:
            DataError: no boxes of this image, damaged ones, or an image of another size.
        """
        match self.source.boxes:
            case BoxSource.maps:
                found, boxes = self.maps.boxes(image_id)
            case BoxSource.coco:
                truth = self._coco_truth(image_id)
                found = truth.semantic.shape[0], truth.semantic.shape[1]
                boxes = boxes_from_maps(truth.semantic, truth.instances, self.catalog)
            case BoxSource.annotations:
                entry = self._entry(image_id)
                found, boxes = (entry.height, entry.width), entry.boxes
            case BoxSource.mat:
                if size is None:
                    size, _ = self.maps.tags(image_id, self.grid)
                found, boxes = size, read_mat_boxes(self._mat_path(image_id), self.catalog, size)
        return _same_size(image_id, "boxes", found, size), boxes

    def tags(self, image_id: str, size: Size | None = None) -> tuple[Size, tuple[frozenset[int], ...]]:
        """Size of an image and tags of its tiles; arguments and errors as for `boxes`."""
        match self.source.tags:
            case TagSource.maps:
                found, tags = self.maps.tags(image_id, self.grid)
            case TagSource.coco:
                semantic = self._coco_truth(image_id).semantic
                found, tags = (semantic.shape[0], semantic.shape[1]), self.grid.tags(semantic)
            case TagSource.annotations:
                entry = self._entry(image_id)
                found, tags = (entry.height, entry.width), entry.tags
        return _same_size(image_id, "tags", found, size), tags

    def annotation(self, image_id: str, size: Size | None, with_tags: bool) -> ImageAnnotation:
        """Boxes and, where they are asked for, tags of an image; errors as for `boxes`."""
        size, boxes = self.boxes(image_id, size)
        tags = self.tags(image_id, size)[1] if with_tags else ()
        return ImageAnnotation(image_id, *size, boxes, tags)

    def _entry(self, image_id: str) -> ImageAnnotation:
        try:
            return self._annotations.images[image_id]
        except KeyError:
            raise DataError(f"source.annotations={self.source.annotations}: no entry of image {image_id}") from None

    def _coco_truth(self, image_id: str) -> PanopticTruth:
        path = Path(str(self.source.coco))
        coco_id = _coco_names(path, self.catalog).get(image_id)
        if coco_id is None:
            raise DataError(f"source.coco={path}: no annotation of image {image_id}")
        return _open_coco(path, self.catalog).truth(coco_id)

    def _mat_path(self, image_id: str) -> Path:
        return Path(self.data.root) / self.source.mat.format(split=self.data.split, id=image_id)


def _same_size(image_id: str, what: str, found: Size, expected: Size | None) -> Size:
    if expected is not None and found != expected:
        raise DataError(
            f"image {image_id}: its {what} are of {found[0]} x {found[1]} pixels (height x width), its maps have "
            f"{expected[0]} x {expected[1]}; all must be of the same size"
        )
    return found


# A process reads a file once, however many images it is asked for.
@lru_cache(maxsize=2)
def _read_annotations(path: Path, catalog: Catalog) -> WeakAnnotations:
    return read_weak_annotations(path, catalog)


@lru_cache(maxsize=2)
def _open_coco(path: Path, catalog: Catalog) -> CocoPanoptic:
    return CocoPanoptic(path, catalog)


@lru_cache(maxsize=2)
def _coco_names(path: Path, catalog: Catalog) -> dict[str, str]:
    return image_names(_open_coco(path, catalog))
