"""One synthetic street scene with its labels, drawn from a random generator and nothing else.

A pinhole camera looks along a street. The sky, the ground and the houses are painted first, then everything that
stands or moves on the ground from far to near, each with its shadow; fog, light and the camera's faults come last.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import RGBImage
from weakpan.toy_city.actors import Actors
from weakpan.toy_city.canvas import SUPERSAMPLING, Camera, Canvas, Color, FloatImage, Sprite
from weakpan.toy_city.ground import paint_ground
from weakpan.toy_city.street import GROUND_IDS, paint_rows, paint_sky, plan_street
from weakpan.toy_city.textures import any_color, colored, noise

UNLABELED_ID, EGO_VEHICLE_ID, OUT_OF_ROI_ID = 0, 1, 3
"""Cityscapes label ids of void."""

INSTANCES_PER_LABEL = 1000
"""Factor of the label id in an instance id."""

_LEAST_PIXELS = 10
"""An instance with fewer visible pixels has no usable box: it becomes void."""


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        label_ids: (H, W) uint8 Cityscapes label ids.
        instance_ids: (H, W) uint16: label id * 1000 + n (n from 0) on instances, the label id elsewhere (stuff, void
            and group regions).
    """

    image: RGBImage
    label_ids: npt.NDArray[np.uint8]
    instance_ids: npt.NDArray[np.uint16]


def draw_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Draw a street scene of so many pixels, with exact labels; the same state of `rng` gives the same scene."""
    canvas = Canvas(height * SUPERSAMPLING, width * SUPERSAMPLING)
    rows, columns = canvas.depth.shape
    camera = Camera(
        focal=rows * rng.uniform(1.6, 2.1),
        center_x=columns * rng.uniform(0.3, 0.7),
        horizon=rows * rng.uniform(0.36, 0.5),
        height=rng.uniform(1.5, 2.3),
        bend=rng.normal(0, 0.0012),
    )
    street = plan_street(rng)
    sky = paint_sky(rng, canvas)
    paint_ground(rng, canvas, camera, street)
    paint_rows(rng, canvas, camera, street)
    _shade_ground(rng, canvas)
    actors = Actors(rng, canvas, camera, street, sky)
    actors.place()
    actors.paint()
    if rng.random() < 0.3:
        _paint_bonnet(rng, canvas)
    colors, segments, depth = canvas.downsample()
    image = _expose(rng, _add_fog(rng, colors, depth, sky))
    if rng.random() < 0.15:
        _black_border(rng, image, segments, canvas.new_segment(OUT_OF_ROI_ID))
    return Scene(image, *_number_instances(segments, canvas.label_table, canvas.instance_table))


def _shade_ground(rng: np.random.Generator, canvas: Canvas) -> None:
    """Now and then the shadow of a row of houses lies across the street."""
    if rng.random() < 0.35:
        rows, columns = canvas.depth.shape
        x, lean = rng.uniform(0, columns), rng.uniform(-0.8, 0.8) * columns
        far = columns * (2 if rng.random() < 0.5 else -1)
        shadow = np.array([(x - lean, 0), (x + lean, rows), (far, rows), (far, 0)], float)
        canvas.shade(shadow, GROUND_IDS, rng.uniform(0.5, 0.75))


def _paint_bonnet(rng: np.random.Generator, canvas: Canvas) -> None:
    rows, columns = canvas.depth.shape
    sprite = Sprite.blank(0, rows * 0.8, columns, rows)
    tall = rng.uniform(0.03, 0.08) * rows
    sprite.ellipse((columns * rng.uniform(0.45, 0.55), rows + tall * 0.5), (columns * 0.56, tall * 1.5), np.zeros(3))
    height, width = sprite.parts.shape
    shade = 0.7 + 0.5 * noise(rng, height, width, columns / 5)
    sprite.image[:] = colored(shade, any_color(rng))
    canvas.paint(sprite, (canvas.new_segment(EGO_VEHICLE_ID),), 1.0)


def _add_fog(rng: np.random.Generator, colors: FloatImage, depth: FloatImage, sky: Color) -> FloatImage:
    """(H, W, 3) float32 colours that fade with depth, a little on clear days and much on others."""
    sight = rng.uniform(60, 150) if rng.random() < 0.3 else rng.uniform(200, 600)
    clear = np.exp(-depth / np.float32(sight))[..., None]
    faded: FloatImage = colors * clear + (1 - clear) * (0.6 * sky + 80).astype(np.float32)
    return faded


def _expose(rng: np.random.Generator, colors: FloatImage) -> RGBImage:
    """Light, contrast, colour cast, vignette, defocus and noise of a camera, as (H, W, 3) uint8."""
    height, width = colors.shape[:2]
    image = cv2.GaussianBlur(colors, (3, 3), rng.uniform(0.25, 0.6))
    image = 255 * np.clip(image / 255, 0, 1) ** np.float32(rng.uniform(0.75, 1.35))
    middle = np.float32(rng.uniform(90, 140))
    image = (image - middle) * np.float32(rng.uniform(0.75, 1.25)) + middle * np.float32(rng.uniform(0.75, 1.3))
    image *= (1 + rng.normal(0, 0.07, 3)).astype(np.float32)
    gray = image.mean(axis=2, keepdims=True)
    image = gray + (image - gray) * np.float32(rng.uniform(0.5, 1.2))
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
    image *= (1 - np.float32(rng.uniform(0, 0.2)) * (x * x + y * y) / 2)[..., None]
    image += np.float32(rng.uniform(1, 5)) * rng.standard_normal(image.shape, np.float32)
    exposed: RGBImage = np.clip(image, 0, 255).astype(np.uint8)
    return exposed


def _number_instances(
    segments: npt.NDArray[np.int32], label_table: npt.NDArray[np.uint8], instance_table: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """(H, W) label ids and instance ids of a map of segments; the instances of a label id are numbered without gaps.

    The tables give the label id of every segment number, and whether it is an instance.
    """
    labels = label_table.copy()
    ids = label_table.astype(np.uint16)
    visible = np.bincount(segments.ravel(), minlength=len(labels))
    labels[instance_table & (visible < _LEAST_PIXELS)] = ids[instance_table & (visible < _LEAST_PIXELS)] = UNLABELED_ID
    for label in np.unique(labels):
        numbers = np.flatnonzero(instance_table & (labels == label) & (visible >= _LEAST_PIXELS))
        ids[numbers] = int(label) * INSTANCES_PER_LABEL + np.arange(len(numbers))
    return labels[segments], ids[segments]


def _black_border(
    rng: np.random.Generator,
    image: RGBImage,
    segments: npt.NDArray[np.int32],
    number: int,
) -> None:
    """Add the frame that rectification of a camera image leaves; it becomes segment `number`."""
    margin = int(rng.integers(1, 2 + image.shape[0] // 40))
    inner = np.zeros(segments.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    image[~inner] = image[~inner] // 8
    segments[~inner] = number
