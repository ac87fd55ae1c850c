"""Weak annotations: all that weak training knows of its images, boxes and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog
from weakpan.data.crops import CropGrid


class BoxKind(StrEnum):
    """What a box stands for."""

    INSTANCE = "instance"
    GROUP = "group"
    STUFF = "stuff"


@dataclass(frozen=True)
class Box:
    """A box of one class: pixels, 0-based, both ends inclusive."""

    class_id: int
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    kind: BoxKind = BoxKind.INSTANCE

    @property
    def area(self) -> int:
        """Pixels inside, both borders included."""
        height, width = self.shape
        return height * width

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.ymax - self.ymin + 1, self.xmax - self.xmin + 1

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, whatever its class, 0..1."""
        height = min(self.ymax, other.ymax) - max(self.ymin, other.ymin) + 1
        width = min(self.xmax, other.xmax) - max(self.xmin, other.xmin) + 1
        shared = max(height, 0) * max(width, 0)
        return shared / (self.area + other.area - shared)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slice of the pixels inside."""
        return slice(self.ymin, self.ymax + 1), slice(self.xmin, self.xmax + 1)


@dataclass(frozen=True)
class ImageAnnotation:
    """Everything that weak training may know about one image besides its pixels.

    Attributes:
        image_id: file name without folder and suffix.
        height: of the image, pixels.
        width: of the image, pixels.
        boxes: in the order that instance ids follow.
        tags: for each crop of the crop grid (row by row) the train ids with at least one pixel in it.
    """

    image_id: str
    height: int
    width: int
    boxes: tuple[Box, ...]
    tags: tuple[frozenset[int], ...]

    @property
    def image_tags(self) -> frozenset[int]:
        """Train ids with at least one pixel anywhere in the image."""
        return frozenset().union(*self.tags)

    def tag_matrix(self, num_classes: int) -> npt.NDArray[np.bool_]:
        """(T, C), the tags of each crop."""
        matrix = np.zeros((len(self.tags), num_classes), np.bool_)
        for row, tags in zip(matrix, self.tags, strict=True):
            row[list(tags)] = True
        return matrix


@dataclass(frozen=True)
class WeakAnnotations:
    """The weak annotations of one split."""

    catalog: Catalog
    grid: CropGrid
    images: Mapping[str, ImageAnnotation]
