"""The part of an image around one box, at a fixed working size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import BoolMask, FloatMap, RGBImage
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import Box

# A box is shown with at least this much of its surroundings on each side (pixels of the image) and, where the working
# size allows, at least this wide (pixels of the region): colour models and contours need something to look at.
_LEAST_PAD = 8
_LEAST_BOX = 16


@dataclass
class RegionSettings:
    """The size at which a box is worked on.

    Attributes:
        side: longest side of a box with its surroundings after resizing, pixels, 32..1024.
        margin: surroundings on each side, as a fraction of the box, 0.05..2.
    """

    side: int = setting(128, between(32, 1024))
    margin: float = setting(0.35, between(0.05, 2))


@dataclass(frozen=True)
class Region:
    """A box with its surroundings, resized.

    Attributes:
        pixels: (h, w, 3) RGB, 0..255, neither side longer than the working size.
        rows: rows of `pixels` that belong to the box; never empty.
        cols: columns of `pixels` that belong to the box; never empty.
        crop_shape: height and width of the surroundings in the image, pixels.
        box_offset: row and column of the box's first pixel in the surroundings, pixels of the image.
        box_shape: height and width of the box in the image, pixels.
    """

    pixels: RGBImage
    rows: slice
    cols: slice
    crop_shape: tuple[int, int]
    box_offset: tuple[int, int]
    box_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of `pixels`."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def inner_shape(self) -> tuple[int, int]:
        """Height and width of the box in `pixels`."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    def surroundings(self, box: Box) -> tuple[slice, slice]:
        """Rows and columns of the image that `pixels` shows, for the box that the region was cut for."""
        top, left = box.ymin - self.box_offset[0], box.xmin - self.box_offset[1]
        return slice(top, top + self.crop_shape[0]), slice(left, left + self.crop_shape[1])

    def from_crop(self, mask: BoolMask) -> BoolMask:
        """Resize a mask over the surroundings, of `crop_shape`, to (h, w), the shape of `pixels`."""
        height, width = self.shape
        shrinks = height * width < mask.size
        resized = cv2.resize(
            mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        seen: BoolMask = resized >= 128
        return seen

    def cut_to_box(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The box, (box height, box width), of a map over the surroundings, of `crop_shape`; a view."""
        top, left = self.box_offset
        inside: npt.NDArray[Any] = values[top : top + self.box_shape[0], left : left + self.box_shape[1]]
        return inside

    def to_box(self, mask: BoolMask) -> BoolMask:
        """Bring a mask over `pixels`, (h, w), back to the image, cut to the box: (box height, box width)."""
        inside: BoolMask = self._cut(mask.astype(np.uint8) * 255) >= 128
        return inside

    def values_to_box(self, values: FloatMap) -> FloatMap:
        """The same for a map of any values, between which is interpolated."""
        inside: FloatMap = self._cut(values.astype(np.float32, copy=False))
        return inside

    def _cut(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        height, width = self.crop_shape
        grows = height * width > values.size
        return self.cut_to_box(
            cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA)
        )


def crop_region(image: RGBImage, box: Box, side: int, margin: float) -> Region:
    """Cut a box with its surroundings out of an image and resize it.

    Both axes have the same scale, except that a very thin box is drawn wider.

    Args:
        image: (H, W, 3) RGB, 0..255.
        box: inside the image.
        side: longest side of the result, pixels, at least 32.
        margin: surroundings on each side as a fraction of the box's width and height.
    """
    (top, bottom), (box_top, box_bottom) = _extent(box.ymin, box.ymax, image.shape[0], margin)
    (left, right), (box_left, box_right) = _extent(box.xmin, box.xmax, image.shape[1], margin)
    height, width = bottom - top, right - left
    scale = side / max(height, width)
    new_height, rows = _resized(height, box_top, box_bottom, scale, side)
    new_width, cols = _resized(width, box_left, box_right, scale, side)
    shrinks = new_height * new_width < height * width
    pixels = cv2.resize(
        image[top:bottom, left:right],
        (new_width, new_height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
    )
    return Region(
        pixels=np.asarray(pixels, np.uint8),
        rows=rows,
        cols=cols,
        crop_shape=(height, width),
        box_offset=(box_top, box_left),
        box_shape=(box_bottom - box_top, box_right - box_left),
    )


def elliptic_radius(height: int, width: int, breadth: float = 1.0) -> FloatMap:
    """Distance of each pixel's centre from the middle of a box, in units of an ellipse in it.

    Args:
        height: of the box, pixels.
        width: of the box, pixels.
        breadth: share of the width that the ellipse takes; 1 is the inscribed one.

    Returns:
        (height, width): 1 on the ellipse, about 0 in the middle; for the inscribed one up to 1.41 in the corners.
    """
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    radius: FloatMap = np.hypot(y[:, None], x[None, :] / np.float32(breadth))
    return radius


def _extent(first: int, last: int, size: int, margin: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and end (exclusive) of the surroundings in the image, and of the box in the surroundings."""
    pad = max(_LEAST_PAD, round(margin * (last - first + 1)))
    start, end = max(0, first - pad), min(size, last + 1 + pad)
    return (start, end), (first - start, last + 1 - start)


def _resized(size: int, first: int, end: int, scale: float, side: int) -> tuple[int, slice]:
    scale = min(side / size, max(scale, _LEAST_BOX / (end - first)))
    new_size = max(1, round(size * scale))
    start = min(round(first * new_size / size), new_size - 1)
    return new_size, slice(start, max(start + 1, round(end * new_size / size)))
