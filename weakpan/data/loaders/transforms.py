"""Views of an image: scale, crop and flip that treat image and labels alike; and colour changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import RGBImage

Value = TypeVar("Value", bound=np.generic)

PADDING_COLOUR = 128
"""Grey of the image outside its borders; labels there are ignored."""


@dataclass(frozen=True)
class View:
    """A rectangle of the source, scaled, put onto a canvas, perhaps mirrored.

    Attributes:
        top: first source row.
        left: first source column.
        height: source rows.
        width: source columns.
        out_height: rows that the rectangle is scaled to.
        out_width: columns that the rectangle is scaled to.
        canvas_height: rows of the result; below `out_height` the canvas is padding.
        canvas_width: columns of the result.
        flip: whether the result is mirrored left to right.
    """

    top: int
    left: int
    height: int
    width: int
    out_height: int
    out_width: int
    canvas_height: int
    canvas_width: int
    flip: bool = False

    @property
    def scale(self) -> tuple[float, float]:
        """Result pixels a source pixel, vertically and horizontally."""
        return self.out_height / self.height, self.out_width / self.width

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """(canvas_height,) source row under the centre of each row of the result, -1 in the padding."""
        return _source_indices(self.top, self.height, self.out_height, self.canvas_height)

    @property
    def columns(self) -> npt.NDArray[np.int64]:
        """(canvas_width,) source column under the centre of each column of the result, -1 in the padding."""
        columns = _source_indices(self.left, self.width, self.out_width, self.canvas_width)
        return columns[::-1].copy() if self.flip else columns

    def image(self, image: RGBImage) -> RGBImage:
        """(H, W, 3) image to (canvas_height, canvas_width, 3)."""
        window: npt.NDArray[Any] = image[self.top : self.top + self.height, self.left : self.left + self.width]
        size = (self.out_width, self.out_height)
        if window.shape[:2] != size[::-1]:
            # Cropping first makes the scaling cheap; averaging avoids aliasing when it shrinks.
            shrinks = self.out_height < self.height
            window = cv2.resize(window, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        canvas = np.full((self.canvas_height, self.canvas_width, 3), PADDING_COLOUR, np.uint8)
        canvas[: self.out_height, : self.out_width] = window
        return np.ascontiguousarray(canvas[:, ::-1]) if self.flip else canvas

    def label(self, values: npt.NDArray[Value], fill: int) -> npt.NDArray[Value]:
        """(H, W) map to (canvas_height, canvas_width) by nearest neighbour; `fill` in the padding."""
        rows, columns = self.rows, self.columns
        result: npt.NDArray[Value] = values[np.ix_(rows, columns)]
        result[rows < 0] = fill
        result[:, columns < 0] = fill
        return result

    def point(self, row: float, column: float) -> tuple[float, float]:
        """Position on the canvas of a point of the source (pixel centres at whole numbers)."""
        vertical, horizontal = self.scale
        y = (row - self.top + 0.5) * vertical - 0.5
        x = (column - self.left + 0.5) * horizontal - 0.5
        return y, (self.canvas_width - 1 - x if self.flip else x)


def _source_indices(start: int, length: int, out: int, canvas: int) -> npt.NDArray[np.int64]:
    indices = np.full(canvas, -1, np.int64)
    indices[:out] = start + ((np.arange(out) + 0.5) * (length / out)).astype(np.int64)
    return indices


def whole_view(height: int, width: int, scale: float) -> View:
    """The whole image at a scale."""
    out_height, out_width = max(1, round(height * scale)), max(1, round(width * scale))
    return View(0, 0, height, width, out_height, out_width, out_height, out_width)


def random_view(
    rng: np.random.Generator,
    height: int,
    width: int,
    crop: tuple[int, int],
    scales: tuple[float, float],
    flip: bool,
) -> View:
    """A random crop, (height, width) pixels, at a random scale of a source of so many pixels.

    The factor lies between two scales, and its logarithm is uniform; half of the views are mirrored if they may.
    """
    factor = float(np.exp(rng.uniform(*np.log(scales))))
    window_height, window_width = (
        min(n, max(1, round(c / factor))) for n, c in zip((height, width), crop, strict=True)
    )
    top = int(rng.integers(0, height - window_height + 1))
    left = int(rng.integers(0, width - window_width + 1))
    mirrored = bool(flip and rng.random() < 0.5)
    out = [min(c, max(1, round(n * factor))) for n, c in zip((window_height, window_width), crop, strict=True)]
    return View(top, left, window_height, window_width, out[0], out[1], crop[0], crop[1], mirrored)


def jitter_colour(rng: np.random.Generator, image: RGBImage, strength: float) -> RGBImage:
    """Random brightness, contrast, saturation and colour cast of an (H, W, 3) RGB image.

    A strength of 0 leaves it as it is; 0.4 changes each by up to 40 %.
    """
    if strength <= 0:
        return image
    values = image.astype(np.float32)
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    cast = rng.uniform(1 - strength / 4, 1 + strength / 4, 3).astype(np.float32)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * saturation
    values = (values - values.mean()) * contrast + values.mean()
    changed: RGBImage = np.clip(values * brightness * cast, 0, 255).astype(np.uint8)
    return changed
