"""Road and sidewalk of a toy scene, textured in perspective."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.toy_city.canvas import Camera, Canvas, FloatImage
from weakpan.toy_city.street import LABEL_IDS, Street
from weakpan.toy_city.textures import noise, paving_color

_TILE = 256
_PIXELS_PER_METRE = 16
_FARTHEST = 300.0


def paint_ground(rng: np.random.Generator, canvas: Canvas, camera: Camera, street: Street) -> None:
    """Paint everything below the horizon as road with its markings, and sidewalk."""
    height, width = canvas.depth.shape
    first = int(np.ceil(camera.horizon)) + 1
    below = np.arange(first, height, dtype=np.float32)[:, None] - np.float32(camera.horizon - 0.5)
    z = np.float32(camera.focal * camera.height) / below
    sideways = (np.arange(width, dtype=np.float32)[None] - np.float32(camera.center_x)) / np.float32(camera.focal)
    x = sideways * z - np.float32(camera.bend) * z * z
    road = (x > street.road_left) & (x < street.road_right)
    if street.crossing:
        road |= (z > street.crossing[0]) & (z < street.crossing[1])
    shade = np.where(road, _asphalt(rng, x, z), _slabs(rng, x, z, street))
    colors = np.stack([paving_color(rng), paving_color(rng)]).astype(np.float32)
    image = np.minimum(shade[..., None] * colors[road.astype(np.uint8)], 255)
    lines, strength = _lines(rng, x, z, street) & road, np.float32(rng.uniform(0.35, 1.0))
    image[lines] += strength * (_line_color(rng) - image[lines])
    canvas.image[first:] = image.astype(np.uint8)
    numbers = canvas.new_segment(LABEL_IDS["sidewalk"]), canvas.new_segment(LABEL_IDS["road"])
    canvas.segments[first:] = np.where(road, numbers[1], numbers[0])
    canvas.depth[first:] = np.minimum(z, _FARTHEST)


def _texture(rng: np.random.Generator, x: FloatImage, z: FloatImage, contrast: float) -> FloatImage:
    """Brightness (H, W) of a rough surface at ground points x (H, W) and z (H, 1) in metres."""
    tile = 1 - contrast + contrast * (noise(rng, _TILE, _TILE, 48) + 0.9 * noise(rng, _TILE, _TILE, 4, 1))
    rough = tile[_mirrored(z * (_PIXELS_PER_METRE / 2)), _mirrored(x * _PIXELS_PER_METRE)]
    # Far away a texture pixel covers less than a canvas pixel: blend to the mean instead of flicker.
    near = np.clip(25 / z, 0, 1)
    shade: FloatImage = (rough * near + tile.mean() * (1 - near)).astype(np.float32)
    return shade


def _mirrored(position: FloatImage) -> npt.NDArray[np.int32]:
    """Texture index of an unbounded position; every second tile is mirrored, which leaves no seam."""
    index = position.astype(np.int32) % (2 * _TILE)
    folded: npt.NDArray[np.int32] = np.minimum(index, 2 * _TILE - 1 - index)
    return folded


def _asphalt(rng: np.random.Generator, x: FloatImage, z: FloatImage) -> FloatImage:
    """Brightness of a road with repairs and wheel tracks."""
    shade = _texture(rng, x, z, rng.uniform(0.1, 0.3))
    for _ in range(rng.integers(0, 4)):
        cx, cz, wide, long = rng.uniform(-5, 4), rng.uniform(5, 30), rng.uniform(0.3, 1.5), rng.uniform(0.4, 6)
        patch = (np.abs(x - cx) < wide) & (np.abs(z - cz) < long)
        shade[patch] *= np.float32(rng.uniform(0.65, 1.2))
    shade[np.abs(np.abs(x) - 0.8) < 0.25] *= np.float32(rng.uniform(0.85, 1.0))
    return shade


def _slabs(rng: np.random.Generator, x: FloatImage, z: FloatImage, street: Street) -> FloatImage:
    """Brightness of a sidewalk with joints between its slabs and a kerb along the road."""
    shade = _texture(rng, x, z, rng.uniform(0.15, 0.3))
    size = rng.uniform(0.5, 1.6)
    joint = (np.mod(x, np.float32(size)) < 0.07) | (np.mod(z, np.float32(size * rng.uniform(0.6, 1.6))) < 0.09)
    depth_of_joint = np.float32(rng.uniform(0.1, 0.4)) * np.clip(14 / z, 0, 1)
    shade *= 1 - joint * depth_of_joint
    edge = np.minimum(np.abs(x - street.road_left), np.abs(x - street.road_right))
    shade[edge < 0.2] *= np.float32(rng.uniform(1.15, 1.5))
    shade[edge < 0.06] *= np.float32(0.55)
    return shade


def _lines(rng: np.random.Generator, x: FloatImage, z: FloatImage, street: Street) -> npt.NDArray[np.bool_]:
    """(H, W) True on lane lines, edge lines and a zebra crossing."""
    middle = street.road_left * rng.uniform(0.2, 0.45)
    period, dash = rng.uniform(6, 12), rng.uniform(0.3, 0.6)
    lines = (np.abs(x - middle) < 0.09) & (np.mod(z + rng.uniform(0, 9), period) < dash * period)
    if rng.random() < 0.5:
        lines |= (np.abs(x - street.road_right + 0.5) < 0.08) | (np.abs(x - street.road_left - 0.5) < 0.08)
    if rng.random() < 0.45:
        at = street.crossing[0] - 4 if street.crossing else rng.uniform(8, 25)
        lines |= (z > at) & (z < at + 3) & (np.mod(x, np.float32(1)) < 0.5)
    marked: npt.NDArray[np.bool_] = lines
    return marked


def _line_color(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    yellow = 0.0 if rng.random() < 0.85 else rng.uniform(40, 90)
    return np.array([228, 226 - yellow / 4, 222 - yellow], np.float32)
