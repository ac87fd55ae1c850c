"""The street of a toy scene: its plan, and the sky and the rows of houses and gardens that close it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import TOY_CITY
from weakpan.toy_city.canvas import Camera, Canvas, Color, Points, Sprite
from weakpan.toy_city.textures import (
    colored,
    facade,
    foliage,
    jitter,
    leaf_color,
    noise,
    wall_color,
)

LABEL_IDS = {c.name: c.dataset_id for c in TOY_CITY.classes}
GROUND_IDS = (LABEL_IDS["road"], LABEL_IDS["sidewalk"])

_FARTHEST = 130.0
_ZENITHS = ((110, 150, 205), (160, 170, 180), (225, 228, 232), (120, 125, 135), (150, 140, 165))
_HAZES = ((205, 215, 225), (235, 215, 190), (190, 190, 190), (245, 245, 245))


@dataclass(frozen=True)
class Street:
    """Plan of a street; X in metres, the camera stands at X = 0.

    Attributes:
        road_left: X of the left edge of the road.
        road_right: X of its right edge.
        left: X of the left row of houses.
        right: X of the right row of houses.
        crossing: depths between which a side street crosses, metres; None without one.
    """

    road_left: float
    road_right: float
    left: float
    right: float
    crossing: tuple[float, float] | None


def plan_street(rng: np.random.Generator) -> Street:
    """A street of random widths."""
    road_left, road_right = -rng.uniform(3.2, 7.5), rng.uniform(2.6, 5.5)
    start = rng.uniform(16, 40)
    crossing = (start, start + rng.uniform(6, 9)) if rng.random() < 0.3 else None
    left, right = road_left - rng.uniform(2.5, 6.5), road_right + rng.uniform(2.5, 6.5)
    return Street(road_left, road_right, left, right, crossing)


def paint_sky(rng: np.random.Generator, canvas: Canvas) -> Color:
    """Paint the whole canvas as sky, blue, grey, dusky or blown out; returns its mean colour (3,)."""
    height, width = canvas.depth.shape
    zenith = jitter(rng, _ZENITHS[int(rng.integers(len(_ZENITHS)))], 14)
    low = jitter(rng, _HAZES[int(rng.integers(len(_HAZES)))], 12)
    # Only the upper half can stay visible: the horizon lies there, and the ground is painted over the rest.
    rows = height // 2
    ramp = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    image = zenith.astype(np.float32) * (1 - ramp) + low.astype(np.float32) * ramp
    clouds = cv2.resize(noise(rng, rows, max(width // 2, 8), height / 4, 4), (width, rows))
    cover = np.clip((clouds - rng.uniform(0.4, 0.7)) * 4, 0, 1)[..., None] * np.float32(rng.uniform(0, 0.8))
    image = image + cover * (np.float32(rng.uniform(150, 250)) - image)
    canvas.image[:rows] = np.clip(image, 0, 255).astype(np.uint8)
    canvas.image[rows:] = canvas.image[rows - 1]
    canvas.segments[:] = canvas.new_segment(LABEL_IDS["sky"])
    # Beyond the fog: the sky has its own haze already.
    canvas.depth[:] = 0
    return zenith * 0.5 + low * 0.5


def paint_rows(rng: np.random.Generator, canvas: Canvas, camera: Camera, street: Street) -> None:
    """Paint what closes the street off: the far end and both rows of houses and gardens, from far to near."""
    _paint_end(rng, canvas, camera)
    blocks: list[tuple[float, float, float]] = []
    for side, edge in ((-1.0, street.left), (1.0, street.right)):
        z = rng.uniform(2.5, 5)
        while z < _FARTHEST * 0.7:
            long = rng.uniform(8, 24)
            if street.crossing and z < street.crossing[1] and z + long > street.crossing[0] - 1.5:
                long = street.crossing[0] - 1.5 - z
                if long > 2:
                    blocks.append((z, z + long, edge))
                z = street.crossing[1] + 1.5
                continue
            blocks.append((z, z + long, edge + side * rng.choice((0.0, 0.6))))
            z += long + (rng.uniform(2, 8) if rng.random() < 0.35 else 0.0)
    for start, stop, edge in sorted(blocks, reverse=True):
        if rng.random() < 0.14:
            _paint_garden(rng, canvas, camera, start, stop, edge)
        else:
            _paint_house(rng, canvas, camera, start, stop, edge)


def _paint_end(rng: np.random.Generator, canvas: Canvas, camera: Camera) -> None:
    for z in (_FARTHEST, _FARTHEST * 0.85):
        x = -camera.center_x / camera.scale(z) - 10
        end = (canvas.depth.shape[1] - camera.center_x) / camera.scale(z)
        while x < end:
            wide = rng.uniform(10, 30)
            kind = rng.random()
            if kind < 0.45:
                tall, wall = rng.uniform(6, 20), wall_color(rng)
                corners = np.array([(x, tall, z), (x + wide, tall, z), (x + wide, 0, z), (x, 0, z)])
                corners[:, 0] -= camera.bend * z * z
                _paint_wall(canvas, camera, corners, partial(facade, rng, wide, tall, wall))
            elif kind < 0.85:
                _paint_hedge(
                    rng,
                    canvas,
                    camera.project(np.array([(x - camera.bend * z * z, 0.0, z)]))[0],
                    wide * camera.scale(z),
                    rng.uniform(3, 9) * camera.scale(z),
                    z,
                )
            x += wide


def _paint_garden(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, start: float, stop: float, edge: float
) -> None:
    """A row of bushes and trees where a house could stand."""
    for z in np.linspace(stop, start, 4):
        middle = camera.project(np.array([(edge + np.sign(edge) * 1.5, 0.0, z)]))[0]
        _paint_hedge(
            rng,
            canvas,
            middle - (1.5 * camera.scale(z), 0),
            4 * camera.scale(z),
            rng.uniform(1.2, 6) * camera.scale(z),
            z,
        )


def _paint_hedge(rng: np.random.Generator, canvas: Canvas, foot: Points, wide: float, tall: float, z: float) -> None:
    height, width = canvas.depth.shape
    columns, rows = int(np.clip(wide, 4, width)), int(np.clip(tall, 4, height))
    outline = rows * (0.15 + 0.5 * noise(rng, 1, columns, max(columns / 4, 3), 3)[0])
    ragged = np.arange(rows)[:, None] + 0.25 * rows * (noise(rng, rows, columns, max(rows / 8, 2), 2) - 0.5) > outline
    image = foliage(rng, rows, columns, leaf_color(rng), max(rows / 14, 2))
    sprite = Sprite(int(foot[1]) - rows, int(foot[0]), image, ragged.astype(np.uint8))
    canvas.paint(sprite, (canvas.new_segment(LABEL_IDS["vegetation"]),), z)


def _paint_house(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, start: float, stop: float, edge: float
) -> None:
    tall = rng.uniform(3.5, 8) if rng.random() < 0.5 else rng.uniform(6, 18)
    wall, depth = wall_color(rng), float(np.sign(edge)) * 12
    lit, unlit = (1.0, rng.uniform(0.6, 0.9)) if rng.random() < 0.5 else (rng.uniform(0.6, 0.9), 1.0)
    front = np.array([(edge, tall, start), (edge, tall, stop), (edge, 0, stop), (edge, 0, start)])
    side = np.array([(edge, tall, start), (edge + depth, tall, start), (edge + depth, 0, start), (edge, 0, start)])
    if rng.random() < 0.5:
        ridge = np.array([(edge + depth / 2, tall + rng.uniform(2, 4.5), z) for z in (start, stop)])
        _paint_wall(canvas, camera, np.array([*ridge, front[1], front[0]]), partial(_roof_tiles, rng, wall))
        _paint_gable(canvas, camera, np.array([ridge[0], side[1], side[0]]), wall * unlit * 0.95)
    _paint_wall(canvas, camera, front, partial(facade, rng, stop - start, tall, wall * lit))
    _paint_wall(canvas, camera, side, partial(facade, rng, abs(depth), tall, wall * unlit))


def _paint_gable(canvas: Canvas, camera: Camera, corners: Points, color: Color) -> None:
    outline = camera.project(corners)
    (xmin, ymin), (xmax, ymax) = outline.min(axis=0), outline.max(axis=0)
    height, width = canvas.depth.shape
    if xmax > 0 and ymax > 0 and xmin < width:
        sprite = Sprite.blank(max(xmin, -40), max(ymin, -40), min(xmax, width + 40), min(ymax, height + 40))
        sprite.polygon(outline, color)
        canvas.paint(sprite, (canvas.new_segment(LABEL_IDS["building"]),), float(corners[0, 2]))


def _roof_tiles(rng: np.random.Generator, wall: Color) -> RGBImage:
    tiles = colored(0.7 + 0.5 * noise(rng, 40, 160, 6), jitter(rng, wall * (0.5, 0.4, 0.4), 25))
    tiles[::5] = tiles[::5] // 4 * 3
    return tiles


def _paint_wall(canvas: Canvas, camera: Camera, corners: Points, draw: Callable[[], RGBImage]) -> None:
    """Paint what `draw` returns on four world corners: upper left, upper right, lower right, lower left."""
    target = camera.project(corners)
    height, width = canvas.depth.shape
    low, high = target.min(axis=0), target.max(axis=0)
    if (high < 0).any() or (low > (width, height)).any() or (high - low < 1).any():
        return
    texture: npt.NDArray[Any] = draw()
    sprite = Sprite.blank(*np.clip(low, -40, (width + 40, height + 40)), *np.clip(high, -40, (width + 40, height + 40)))
    rows, columns = texture.shape[:2]
    source = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    local = (target - (sprite.left, sprite.top)).astype(np.float32)
    shrink = (target[:, 0].max() - target[:, 0].min()) / columns
    if shrink < 0.5:
        texture = cv2.blur(texture, (int(min(0.7 / max(shrink, 0.05), 9)) | 1, 3))
    size = (sprite.parts.shape[1], sprite.parts.shape[0])
    warped = cv2.warpPerspective(
        texture,
        cv2.getPerspectiveTransform(source, local),
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sprite.polygon(target, np.zeros(3))
    sprite.image = warped.astype(np.uint8, copy=False)
    # On a plane, 1/Z is linear in the image column.
    ends = target[[0, 1], 0]
    share = (np.arange(size[0]) + sprite.left - ends[0]) / (ends[1] - ends[0] if abs(ends[1] - ends[0]) > 1 else 1)
    inverse = 1 / corners[0, 2] + np.clip(share, 0, 1) * (1 / corners[1, 2] - 1 / corners[0, 2])
    depth = np.broadcast_to((1 / inverse).astype(np.float32), sprite.parts.shape)
    number = canvas.new_segment(LABEL_IDS["building"])
    canvas.paint(sprite, (number,), depth)
