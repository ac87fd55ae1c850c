"""A square window of an image around a box: the view of a mask network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import BoolMask, FloatMap, RGBImage
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, check_settings, setting
from weakpan.data.annotations import Box

# Beyond this many half sizes from the middle of the box all places look the same.
_FAR = 1.5


@dataclass
class WindowSettings:
    """How boxes are shown to the mask network.

    Attributes:
        side: of a window, pixels; a multiple of 16, 32..512.
        shares: of the window that the longest side of a box takes where masks are wanted, 0.2..0.9; the network looks
            once for each, and the mean counts.
        least_share: smallest such share in training, up to `most_share`.
        most_share: largest such share in training, up to 1.
        sure_radius: pixels of a box within this elliptic radius are taken for a thing, those beyond it for unknown,
            0.1..1.42.
        min_box: boxes with a side shorter than this many pixels are not learned from, 1..1024.
        a_image: windows taken of an image at a time, so that it is not read for each, 1..64.
        images: that a batch is made from, 1..256.
        colour_jitter: strength of random colour changes, 0..1.
        blur: share of the windows that are blurred, so that objects of all sizes look alike, 0..1.

    Raises:
        ConfigError: a side that is no multiple of 16, no share, or shares in the wrong order, named by the field.
    """

    side: int = setting(112, between(32, 512))
    shares: list[float] = setting([0.48, 0.75], between(0.2, 0.9))
    least_share: float = setting(0.4, between(0.2, 1))
    most_share: float = setting(0.85, between(0.2, 1))
    sure_radius: float = setting(0.8, between(0.1, 1.42))
    min_box: int = setting(8, between(1, 1024))
    a_image: int = setting(4, between(1, 64))
    images: int = setting(3, between(1, 256))
    colour_jitter: float = setting(0.3, between(0, 1))
    blur: float = setting(0.4, between(0, 1))

    def __post_init__(self) -> None:
        """Check the ranges, and what no range tells."""
        check_settings(self)
        if not self.shares:
            raise ConfigError("expected one or more", key="shares", found=self.shares)
        if self.side % 16 != 0:
            raise ConfigError("expected a multiple of 16", key="side", found=self.side)
        if self.least_share > self.most_share:
            raise ConfigError(
                f"has to be at most most_share={self.most_share}", key="least_share", found=self.least_share
            )


@dataclass(frozen=True)
class Window:
    """A rectangle of an image on a square grid of cells.

    Attributes:
        left: x of its left edge; the left edge of the image's first pixel is 0.
        top: y of its upper edge.
        step_x: width of a cell, pixels of the image.
        step_y: height of a cell, pixels of the image.
        side: cells in a row and in a column.
    """

    left: float
    top: float
    step_x: float
    step_y: float
    side: int

    @classmethod
    def around(cls, box: Box, side: int, share: float) -> Window:
        """The window in whose middle lies a box whose longest side takes `share` (0..1) of it."""
        height, width = box.shape
        size = max(width, height) / share
        return cls(box.xmin + (width - size) / 2, box.ymin + (height - size) / 2, size / side, size / side, side)

    @classmethod
    def random(cls, rng: np.random.Generator, box: Box, side: int, shares: tuple[float, float]) -> Window:
        """A window with the box anywhere in it, at a random size and a slightly changed aspect.

        The longest side of the box takes a share of the window between two, 0..1. Of a box that takes more than 0.86 of
        it, the change of aspect may cut off an edge.
        """
        height, width = box.shape
        size = max(width, height) / rng.uniform(*shares)
        stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
        size_x, size_y = size * stretch, size / stretch
        play_x, play_y = rng.uniform(-0.4, 0.4, 2) * (size_x - width, size_y - height)
        left, top = box.xmin + (width - size_x) / 2 + play_x, box.ymin + (height - size_y) / 2 + play_y
        return cls(float(left), float(top), size_x / side, size_y / side, side)

    def image(self, image: RGBImage) -> RGBImage:
        """(H, W, 3) image to (side, side, 3); beyond its borders the border goes on."""
        reduce = max(1, int(min(self.step_x, self.step_y)))
        if reduce == 1:
            interpolation = cv2.INTER_LINEAR if min(self.step_x, self.step_y) > 0.8 else cv2.INTER_CUBIC
            return self._warp(image, interpolation, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
        # Averaging whole blocks first avoids aliasing, which matters because boxes are of all sizes.
        rows = _blocks(self.top, self.step_y * self.side, image.shape[0], reduce)
        columns = _blocks(self.left, self.step_x * self.side, image.shape[1], reduce)
        if rows.stop - rows.start < reduce or columns.stop - columns.start < reduce:
            return self._warp(image, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
        part = image[rows, columns]
        small = cv2.resize(part, (part.shape[1] // reduce, part.shape[0] // reduce), interpolation=cv2.INTER_AREA)
        inner = Window(
            (self.left - columns.start) / reduce,
            (self.top - rows.start) / reduce,
            self.step_x / reduce,
            self.step_y / reduce,
            self.side,
        )
        return inner._warp(small, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)

    def label(self, values: npt.NDArray[np.uint8], fill: int) -> npt.NDArray[np.uint8]:
        """(H, W) map to (side, side) by nearest neighbour; `fill` beyond its borders."""
        return self._warp(values, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, fill).astype(np.uint8, copy=False)

    def _warp(self, values: npt.NDArray[Any], interpolation: int, border: int, fill: int = 0) -> npt.NDArray[Any]:
        to_image = np.array(
            [
                [self.step_x, 0, self.left + self.step_x / 2 - 0.5],
                [0, self.step_y, self.top + self.step_y / 2 - 0.5],
            ]
        )
        flags = interpolation | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            values, to_image, (self.side, self.side), flags=flags, borderMode=border, borderValue=fill
        )

    def inside(self, box: Box) -> BoolMask:
        """(side, side): cells whose middle lies in a box."""
        dx, dy = self._relative(box)
        inside: BoolMask = (np.abs(dy) <= 1)[:, None] & (np.abs(dx) <= 1)[None]
        return inside

    def coordinates(self, box: Box) -> npt.NDArray[np.float32]:
        """(5, side, side): where a cell lies in the box.

        From the middle of the box in half sizes: x, y and their norm (cut off at 1.5); whether the cell is inside; the
        logarithm of width by height of the box as the window shows it.
        """
        dx, dy = self._relative(box)
        x, y = np.broadcast_to(dx[None], (self.side, self.side)), np.broadcast_to(dy[:, None], (self.side, self.side))
        width, height = box.shape[1] / self.step_x, box.shape[0] / self.step_y
        return np.stack(
            [
                np.clip(x, -_FAR, _FAR),
                np.clip(y, -_FAR, _FAR),
                np.minimum(np.hypot(x, y), _FAR),
                self.inside(box),
                np.full((self.side, self.side), np.log(width / height)),
            ]
        ).astype(np.float32)

    def to_box(self, values: FloatMap, box: Box) -> FloatMap:
        """Bring an (n, n) map over the window back to a box in it: (box height, box width), interpolated."""
        cell = self.side / values.shape[0]
        step_x, step_y = self.step_x * cell, self.step_y * cell
        to_values = np.array(
            [
                [1 / step_x, 0, (box.xmin + 0.5 - self.left) / step_x - 0.5],
                [0, 1 / step_y, (box.ymin + 0.5 - self.top) / step_y - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        inside = cv2.warpAffine(
            np.ascontiguousarray(values, np.float32),
            to_values,
            box.shape[::-1],
            flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(inside, np.float32)

    def _relative(self, box: Box) -> tuple[FloatMap, FloatMap]:
        """(side,) x and y of the middle of each cell, from the middle of the box in half sizes."""
        middle = np.arange(self.side, dtype=np.float32) + 0.5
        x, y = self.left + middle * self.step_x, self.top + middle * self.step_y
        dx = (x - box.xmin) / box.shape[1] * 2 - 1
        dy = (y - box.ymin) / box.shape[0] * 2 - 1
        return dx.astype(np.float32), dy.astype(np.float32)


def _blocks(start: float, length: float, size: int, reduce: int) -> slice:
    """Whole blocks of `reduce` pixels that hold a stretch and a little more, cut to the image."""
    first = max(0, int(start) - 2 * reduce)
    last = min(size, int(start + length) + 2 * reduce)
    return slice(first, first + max(0, last - first) // reduce * reduce)
