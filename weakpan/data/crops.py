"""The crop grid: fixed, overlapping parts of an image that tags and the crop classifier refer to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, SemanticMap


@dataclass(frozen=True)
class Crop:
    """A rectangle of an image: rows `top` to `bottom` and columns `left` to `right`, ends exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slice."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True)
class CropGrid:
    """Overlapping crops of one size that cover an image of any size.

    On 1024 x 2048 with crops of 400 x 500 this is the grid of the released code (15 crops). There the overlap is
    rounded up, so that on sizes that do not divide evenly the last crops would end short of the border; here the last
    crop of an axis is moved to the border, and where that leaves a hole the crops of the axis are spread evenly. An
    image smaller than a crop is one crop.

    Attributes:
        height: of a crop, pixels.
        width: of a crop, pixels.
    """

    height: int
    width: int

    def crops(self, image_height: int, image_width: int) -> tuple[Crop, ...]:
        """The crops of an image, row by row."""
        return tuple(
            Crop(top, left, min(top + self.height, image_height), min(left + self.width, image_width))
            for top in _starts(image_height, self.height)
            for left in _starts(image_width, self.width)
        )

    def tags(self, semantic: SemanticMap) -> tuple[frozenset[int], ...]:
        """For each crop, the train ids with at least one pixel in it, of an (H, W) map of them; 255 is no tag."""
        return tuple(frozenset(values) - {IGNORE} for values in self.values(semantic))

    def values(self, labels: npt.NDArray[np.uint8]) -> tuple[list[int], ...]:
        """For each crop, the values with at least one pixel in it, ascending, of an (H, W) map."""
        return tuple(_values(labels[crop.slices]) for crop in self.crops(*labels.shape))


def _values(labels: npt.NDArray[np.uint8]) -> list[int]:
    """Values that occur; a histogram takes a tenth of the time of sorting the pixels."""
    found: list[int] = np.flatnonzero(cv2.calcHist([labels], [0], None, [256], [0, 256])).tolist()
    return found


def _starts(size: int, crop: int) -> list[int]:
    count = math.ceil(size / crop)
    if count == 1:
        return [0]
    overlap = math.ceil((count * crop - size) / (count - 1))
    starts = [i * (crop - overlap) for i in range(count - 1)] + [size - crop]
    if starts[-1] - starts[-2] > crop:
        # So many crops that what was rounded off adds up to a hole before the last one.
        starts = [i * (size - crop) // (count - 1) for i in range(count)]
    return starts
