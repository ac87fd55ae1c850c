"""What a toy scene is drawn on: a pinhole camera over flat ground, a canvas with labels, and small objects.

Everything is drawn at `SUPERSAMPLING` times the final size without anti-aliasing; `Canvas.downsample` then averages the
colours and takes a vote over the labels of the same blocks, so an edge is smooth in the image and exact in the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import RGBImage

Points = npt.NDArray[np.float64]
"""(N, 2) x, y in canvas pixels, or (N, 3) X right, Y up, Z forward in metres."""

Color = npt.NDArray[np.float64]
"""(3,) RGB, 0..255."""

FloatImage = npt.NDArray[np.float32]

SUPERSAMPLING = 2
_SUBPIXEL_BITS = 3


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera over a street that may bend.

    Attributes:
        focal: focal length, canvas pixels.
        center_x: column of the vanishing point, canvas pixels.
        horizon: row of the horizon, canvas pixels.
        height: above the ground, metres.
        bend: of the street: sideways metres per squared metre of depth.
    """

    focal: float
    center_x: float
    horizon: float
    height: float
    bend: float

    def project(self, points: Points) -> Points:
        """Canvas x, y (N, 2) of street points (N, 3) in metres; Z must be above 0."""
        x, y, z = points.T
        return np.stack(
            [
                self.center_x + self.focal * (x + self.bend * z * z) / z,
                self.horizon + self.focal * (self.height - y) / z,
            ],
            axis=1,
        )

    def scale(self, depth: float) -> float:
        """Canvas pixels per metre at a depth in metres."""
        return self.focal / depth


@dataclass
class Sprite:
    """A small object, drawn from shapes in canvas coordinates; part 0 colours what is there without extending it.

    Attributes:
        top: canvas row of the first row; may lie outside the canvas.
        left: canvas column of the first column; may lie outside the canvas.
        image: (h, w, 3) uint8 RGB.
        parts: (h, w) uint8, 0 transparent, else the number of the part (a bicycle and its rider are two).
    """

    top: int
    left: int
    image: RGBImage
    parts: npt.NDArray[np.uint8]

    @classmethod
    def blank(cls, xmin: float, ymin: float, xmax: float, ymax: float) -> Sprite:
        """Nothing yet, with room for what lies between these canvas pixels."""
        left, top = int(np.floor(xmin)) - 1, int(np.floor(ymin)) - 1
        shape = (max(int(np.ceil(ymax)) + 2 - top, 1), max(int(np.ceil(xmax)) + 2 - left, 1))
        return cls(top, left, np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8))

    def shade(self, brightness: FloatImage) -> None:
        """Multiply the colours by (h, w)."""
        self.image[:] = np.clip(self.image * brightness[..., None], 0, 255).astype(np.uint8)

    def _fixed(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        local = np.asarray(points, np.float64).reshape(-1, 2) - (self.left, self.top)
        fixed: npt.NDArray[np.int32] = np.rint(local * 2**_SUBPIXEL_BITS).astype(np.int32)
        return fixed

    def polygon(self, points: npt.ArrayLike, color: Color, part: int = 1) -> None:
        """Fill a polygon (N, 2)."""
        cv2.fillPoly(self.image, [self._fixed(points)], scalar(color), shift=_SUBPIXEL_BITS)
        if part:
            cv2.fillPoly(self.parts, [self._fixed(points)], (part,), shift=_SUBPIXEL_BITS)

    def line(self, points: npt.ArrayLike, color: Color, width: float, part: int = 1) -> None:
        """Draw an open line through points (N, 2) with round ends."""
        fixed, thickness = [self._fixed(points)], max(1, round(width))
        cv2.polylines(self.image, fixed, False, scalar(color), thickness, shift=_SUBPIXEL_BITS)
        if part:
            cv2.polylines(self.parts, fixed, False, (part,), thickness, shift=_SUBPIXEL_BITS)

    def ellipse(
        self, center: npt.ArrayLike, radii: tuple[float, float], color: Color, part: int = 1, width: float = -1
    ) -> None:
        """Draw an upright ellipse, filled or (with a width above 0) as a ring."""
        x, y = self._fixed(center)[0]
        axes = (max(round(radii[0] * 2**_SUBPIXEL_BITS), 4), max(round(radii[1] * 2**_SUBPIXEL_BITS), 4))
        thickness = -1 if width < 0 else max(1, round(width))
        shape = ((int(x), int(y)), axes, 0.0, 0.0, 360.0)
        cv2.ellipse(self.image, *shape, scalar(color), thickness, shift=_SUBPIXEL_BITS)
        if part:
            cv2.ellipse(self.parts, *shape, (part,), thickness, shift=_SUBPIXEL_BITS)


class Canvas:
    """Colours, labels and depths of a scene in the making; what is painted later lies in front.

    Attributes:
        image: (H, W, 3) uint8 RGB, of the size that is given, already supersampled.
        segments: (H, W) int32 numbers handed out by `new_segment`, in painting order.
        depth: (H, W) float32 metres.
    """

    def __init__(self, height: int, width: int) -> None:
        self.image: RGBImage = np.zeros((height, width, 3), np.uint8)
        self.segments: npt.NDArray[np.int32] = np.zeros((height, width), np.int32)
        self.depth: FloatImage = np.full((height, width), 1000, np.float32)
        self._label_ids = [0]
        self._is_instance = [False]

    def new_segment(self, label_id: int, is_instance: bool = False) -> int:
        """Number of a new segment of a label id; an instance of its own, or stuff, void or a group."""
        self._label_ids.append(label_id)
        self._is_instance.append(is_instance)
        return len(self._label_ids) - 1

    @property
    def label_table(self) -> npt.NDArray[np.uint8]:
        """Label id of every segment number."""
        return np.array(self._label_ids, np.uint8)

    @property
    def instance_table(self) -> npt.NDArray[np.bool_]:
        """True for the segment numbers that are instances."""
        return np.array(self._is_instance, bool)

    def clip(self, top: int, left: int, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Slices of the canvas and of a patch of this size for the part of the patch that lies on the canvas."""
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + height, self.depth.shape[0]), min(left + width, self.depth.shape[1])
        y1, x1 = max(y0, y1), max(x0, x1)
        return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))

    def paint(self, sprite: Sprite, segments: Sequence[int], depth: float | FloatImage) -> None:
        """Put a sprite in front of everything; part k belongs to `segments[k - 1]`.

        Args:
            sprite: what to paint.
            segments: numbers from `new_segment`, one a part.
            depth: metres, one number or one a pixel of the sprite.
        """
        there, here = self.clip(sprite.top, sprite.left, *sprite.parts.shape)
        parts = sprite.parts[here]
        mask = parts > 0
        np.copyto(self.image[there], sprite.image[here], where=mask[..., None])
        np.copyto(self.segments[there], np.array([0, *segments], np.int32)[parts], where=mask)
        np.copyto(self.depth[there], depth[here] if isinstance(depth, np.ndarray) else np.float32(depth), where=mask)

    def shade(self, polygon: Points, label_ids: tuple[int, ...], factor: float) -> None:
        """Darken the pixels of some label ids inside a polygon (N, 2): a cast shadow."""
        size = self.depth.shape[1], self.depth.shape[0]
        sprite = Sprite.blank(*np.clip(polygon.min(axis=0), 0, size), *np.clip(polygon.max(axis=0), 0, size))
        sprite.polygon(polygon, np.zeros(3))
        there, here = self.clip(sprite.top, sprite.left, *sprite.parts.shape)
        mask = (sprite.parts[here] > 0) & np.isin(self.label_table, label_ids)[self.segments[there]]
        self.image[there][mask] = (self.image[there][mask] * factor).astype(np.uint8)

    def mean_color(self, x: float, y: float, radius: float) -> Color:
        """Mean colour (3,) of what is painted around a point, for objects that hide in their background."""
        (rows, columns), _ = self.clip(int(y - radius), int(x - radius), int(2 * radius) + 1, int(2 * radius) + 1)
        patch = self.image[rows, columns].reshape(-1, 3)
        return patch.mean(axis=0) if len(patch) else np.full(3, 110.0)

    def downsample(self) -> tuple[FloatImage, npt.NDArray[np.int32], FloatImage]:
        """Final-size colours, segment numbers and depths.

        A final pixel gets the mean colour of its block of canvas pixels and the segment with the most pixels in the
        block; of several, the one in front.

        Returns:
            (h, w, 3) float32 colours 0..255, (h, w) int32 segment numbers and (h, w) float32 mean depths in metres.
        """
        height, width = self.segments.shape[0] // SUPERSAMPLING, self.segments.shape[1] // SUPERSAMPLING
        size = (width, height)
        colors: npt.NDArray[Any] = cv2.resize(self.image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        depth: npt.NDArray[Any] = cv2.resize(self.depth, size, interpolation=cv2.INTER_AREA)
        blocks = self.segments.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING)
        samples = blocks.transpose(1, 3, 0, 2).reshape(SUPERSAMPLING**2, height, width)
        votes = np.stack([(samples == sample).sum(axis=0) for sample in samples])
        rank = votes * len(self._label_ids) + samples
        winner = rank.argmax(axis=0)
        return colors, np.take_along_axis(samples, winner[None], axis=0)[0], depth


def scalar(color: Color) -> tuple[int, int, int]:
    """A colour (3,) as cv2 takes it, clipped to 0..255."""
    red, green, blue = color.tolist()
    return min(max(int(red), 0), 255), min(max(int(green), 0), 255), min(max(int(blue), 0), 255)
