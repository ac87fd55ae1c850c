"""Colours and textures of the toy scenes.

Every surface takes its colour from a wide range that overlaps with those of the other surfaces; what tells classes
apart is texture, shape and place.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from weakpan.basics.arrays import RGBImage
from weakpan.toy_city.canvas import Color, FloatImage, scalar

PIXELS_PER_METRE = 10
"""Resolution of the façade textures."""

_WALLS = ((205, 190, 160), (150, 85, 65), (190, 190, 185), (120, 118, 115), (222, 214, 196), (165, 180, 160))
_WALLS_BOLD = ((140, 170, 200), (120, 150, 110), (200, 150, 90), (90, 75, 70), (235, 235, 230), (180, 120, 120))
_LEAVES = ((70, 100, 45), (100, 120, 60), (50, 70, 40), (130, 125, 70), (140, 100, 55), (110, 112, 92), (85, 95, 85))
_PAVING = ((120, 118, 116), (95, 95, 100), (140, 130, 118), (150, 120, 105), (80, 82, 84), (160, 158, 150))
_PAINTS = ((128, 130, 132), (90, 92, 96), (190, 192, 194), (225, 225, 222), (40, 42, 45), (110, 105, 98))


def jitter(rng: np.random.Generator, color: Color | tuple[int, int, int], amount: float) -> Color:
    """A colour (3,) near another one: brightness and hue each move by about `amount` (0..255)."""
    return np.clip(np.asarray(color, float) + rng.normal(0, amount) + rng.normal(0, amount / 2, 3), 5, 250)


def any_color(rng: np.random.Generator) -> Color:
    """Any colour (3,), dull ones more often than vivid ones."""
    return 255 * np.array(colorsys.hsv_to_rgb(rng.random(), rng.beta(1.1, 1.8), rng.uniform(0.12, 0.95)))


def _pick(rng: np.random.Generator, colors: Sequence[tuple[int, int, int]], amount: float) -> Color:
    return jitter(rng, colors[int(rng.integers(len(colors)))], amount)


def wall_color(rng: np.random.Generator) -> Color:
    """Colour of a façade: plaster, brick, concrete; now and then as green as leaves or as blue as the sky."""
    return _pick(rng, _WALLS if rng.random() < 0.6 else _WALLS_BOLD, 18)


def leaf_color(rng: np.random.Generator) -> Color:
    """Colour of foliage from fresh green to autumn brown and winter grey."""
    return _pick(rng, _LEAVES, 14)


def paving_color(rng: np.random.Generator) -> Color:
    """Colour of asphalt or paving stones; roads and sidewalks share it."""
    return _pick(rng, _PAVING, 14)


def paint_color(rng: np.random.Generator) -> Color:
    """Colour of a car: most are as grey as the road, the rest anything."""
    return _pick(rng, _PAINTS, 14) if rng.random() < 0.45 else any_color(rng)


def noise(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 3) -> FloatImage:
    """Smooth noise (height, width) float32 in 0..1 with blobs of about `cell` pixels and finer detail on them."""
    total = np.zeros((height, width), np.float32)
    weight = 0.0
    for octave in range(octaves):
        size = max(cell / 2**octave, 1)
        grid = rng.random((int(height / size) + 2, int(width / size) + 2), np.float32)
        total += 0.5**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
        weight += 0.5**octave
    return total / np.float32(weight)


def colored(shade: FloatImage, color: Color) -> RGBImage:
    """(h, w, 3) uint8 image of one colour times a brightness map (h, w)."""
    image: RGBImage = np.clip(shade[..., None] * color.astype(np.float32), 0, 255).astype(np.uint8)
    return image


def foliage(rng: np.random.Generator, height: int, width: int, color: Color, leaf: float) -> RGBImage:
    """(height, width, 3) uint8 foliage: high contrast between lit and shaded leaves of about `leaf` pixels."""
    fine = noise(rng, height, width, max(leaf, 1.5), 2)
    coarse = noise(rng, height, width, 6 * max(leaf, 1.5), 2)
    light = np.linspace(1.1, 0.8, height, dtype=np.float32)[:, None]
    shade = light * (0.35 + 0.6 * coarse) * (0.35 + 1.45 * fine)
    image = colored(shade, color).astype(np.float32)
    image[..., 1] += 14 * (coarse - 0.5)
    return np.clip(image, 0, 255).astype(np.uint8)


def facade(rng: np.random.Generator, length: float, height: float, wall: Color) -> RGBImage:
    """A front of a house of so many metres, seen straight on: (h, w, 3) uint8 with `PIXELS_PER_METRE`."""
    unit = PIXELS_PER_METRE
    rows, columns = max(int(height * unit), 8), max(int(length * unit), 8)
    shade = 0.82 + 0.3 * noise(rng, rows, columns, 30)
    shade += rng.uniform(0, 0.12) * (rng.random((rows, columns), np.float32) - 0.5)
    if rng.random() < 0.4:
        shade[:: int(rng.integers(3, 9))] *= rng.uniform(0.75, 0.92)
    image = colored(shade, wall)
    floor = int(unit * rng.uniform(2.6, 3.4))
    pitch = unit * rng.uniform(1.9, 3.6)
    _windows(rng, image, floor, pitch)
    _ground_floor(rng, image, floor)
    cv2.rectangle(image, (0, 0), (columns, int(rng.integers(2, 7))), scalar(jitter(rng, wall * 0.7, 10)), -1)
    return image


def _windows(rng: np.random.Generator, image: RGBImage, floor: int, pitch: float) -> None:
    rows, columns = image.shape[:2]
    tall, wide = floor * rng.uniform(0.4, 0.7), pitch * rng.uniform(0.35, 0.7)
    glass, frame = any_color(rng) * 0.5 + rng.uniform(10, 100), wall_color(rng) * rng.uniform(0.5, 1.2)
    band = rng.random() < 0.3
    for bottom in range(rows - floor, floor // 2, -floor):
        if band:
            cv2.line(image, (0, bottom), (columns, bottom), scalar(frame), 2)
        for x in np.arange(pitch * 0.2, columns - wide, pitch):
            top, low = bottom - int(floor * 0.2) - int(tall), bottom - int(floor * 0.2)
            corner, other = (int(x), top), (int(x + wide), low)
            pane = np.clip(glass * rng.uniform(0.55, 1.3), 0, 255)
            if rng.random() < 0.08:
                pane = np.array([230.0, 205, 140])
            cv2.rectangle(image, corner, other, scalar(pane), -1)
            cv2.rectangle(image, corner, other, scalar(frame), 2 if wide > 12 else 1)
            cv2.line(image, (int(x + wide / 2), top), (int(x + wide / 2), low), scalar(frame), 1)


def _ground_floor(rng: np.random.Generator, image: RGBImage, floor: int) -> None:
    rows, columns = image.shape[:2]
    x = int(rng.integers(0, 20))
    while x < columns - 15:
        wide = int(rng.integers(12, 45))
        kind = rng.random()
        top = rows - int(floor * rng.uniform(0.7, 0.9))
        if kind < 0.35:  # a shop window below its sign
            cv2.rectangle(image, (x, top), (x + wide, rows - 5), scalar(any_color(rng) * 0.6), -1)
            cv2.rectangle(image, (x, top - 4), (x + wide, top + 2), scalar(any_color(rng)), -1)
        elif kind < 0.65:  # a door
            cv2.rectangle(image, (x, top), (x + 10, rows), scalar(any_color(rng) * 0.7), -1)
        x += wide + int(rng.integers(6, 30))
