"""What stands along a toy street: trees, bushes, poles and traffic signs.

Each stands on the canvas pixel (x, y), with `scale` canvas pixels per metre; size, shape and colours are random.
"""

from __future__ import annotations

import numpy as np

from weakpan.toy_city.canvas import Color, Sprite
from weakpan.toy_city.textures import any_color, foliage, jitter, noise

POLE_PART = 1
SIGN_PART = 2

_POLES = ((130, 132, 134), (80, 82, 85), (55, 60, 58), (110, 90, 70), (185, 186, 184), (70, 95, 80))
_SIGN_FACES = (
    ((235, 235, 232), (190, 30, 35)),
    ((40, 80, 165), (235, 235, 232)),
    ((235, 190, 40), (40, 40, 40)),
    ((190, 30, 35), (235, 235, 232)),
    ((40, 120, 70), (235, 235, 232)),
)


def draw_tree(rng: np.random.Generator, x: float, y: float, scale: float, leaves: Color) -> Sprite:
    """A tree with an irregular crown of leaves (3,) that the background shines through; one part."""
    tall = rng.uniform(3.8, 9.0) * scale
    reach, foot = tall * rng.uniform(0.25, 0.42), tall * rng.uniform(0.25, 0.42)
    sprite = Sprite.blank(x - 1.3 * reach, y - tall, x + 1.3 * reach, y)
    blobs = Sprite.blank(x - 1.3 * reach, y - tall, x + 1.3 * reach, y)
    for _ in range(rng.integers(9, 18)):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        center = (
            x + 0.75 * reach * radius * np.cos(angle),
            y - (tall + foot) / 2 + 0.36 * (tall - foot) * radius * np.sin(angle),
        )
        size = reach * rng.uniform(0.22, 0.5)
        blobs.ellipse(center, (size, size * rng.uniform(0.7, 1.0)), np.zeros(3))
    rows, columns = sprite.parts.shape
    leaf = max(0.22 * scale, 2.0)
    ragged = noise(rng, rows, columns, 2.2 * leaf, 2)
    edge = noise(rng, rows, columns, 5 * leaf, 1)
    crown = ((blobs.parts > 0) & (ragged * 0.6 + edge * 0.4 > rng.uniform(0.27, 0.42))).astype(np.uint8)
    bark = jitter(rng, (85, 72, 60), 12)
    sprite.line(
        [(x, y), (x + rng.normal(0, 0.02) * tall, y - foot * 1.5)], bark, max(tall * rng.uniform(0.025, 0.05), 2)
    )
    for lean in rng.uniform(-0.6, 0.6, 4):
        sprite.line([(x, y - foot), (x + lean * reach, y - (tall + foot) / 2)], bark * 0.8, max(tall * 0.015, 1))
    green = foliage(rng, rows, columns, leaves, leaf)
    sprite.image[crown > 0] = green[crown > 0]
    sprite.parts[crown > 0] = 1
    return sprite


def draw_bush(rng: np.random.Generator, x: float, y: float, scale: float, leaves: Color) -> Sprite:
    """A bush of leaves (3,) on the ground; one part."""
    wide, tall = rng.uniform(0.6, 2.2) * scale, rng.uniform(0.5, 1.6) * scale
    sprite = Sprite.blank(x - wide, y - 1.2 * tall, x + wide, y)
    for _ in range(rng.integers(5, 10)):
        u, size = rng.uniform(-0.7, 0.7), rng.uniform(0.25, 0.5)
        sprite.ellipse(
            (x + u * wide, y - tall * (size + rng.uniform(0, 0.4))), (size * wide * 0.7, size * tall), leaves
        )
    sprite.polygon(
        [(x - 0.6 * wide, y), (x - 0.5 * wide, y - 0.5 * tall), (x + 0.5 * wide, y - 0.5 * tall), (x + 0.6 * wide, y)],
        leaves,
    )
    rows, columns = sprite.parts.shape
    sprite.parts[noise(rng, rows, columns, max(0.2 * scale, 2), 2) < 0.22] = 0
    sprite.image[:] = foliage(rng, rows, columns, leaves, max(0.12 * scale, 1.5))
    return sprite


def draw_pole(rng: np.random.Generator, x: float, y: float, scale: float, inward: float, signs: int) -> Sprite:
    """A lamp post or a thin pole: the parts `POLE_PART` and `SIGN_PART`.

    `inward`, 1 or -1, is the side on which the road lies; with 1 or 2 traffic signs it is no lamp post.
    """
    color = jitter(rng, _POLES[rng.integers(len(_POLES))], 12)
    tall = (rng.uniform(2.3, 3.3) if signs else rng.uniform(4.5, 8.5)) * scale
    width = max((rng.uniform(0.09, 0.14) if signs else rng.uniform(0.16, 0.3)) * scale, 2.5)
    arm = rng.uniform(0.8, 2.2) * scale if not signs and rng.random() < 0.6 else 0.0
    sprite = Sprite.blank(x - 1.5 * scale - arm, y - tall - 0.8 * scale, x + 1.5 * scale + arm, y)
    half = width / 2
    sprite.polygon(
        [(x - half, y), (x - half * 0.8, y - tall), (x + half * 0.8, y - tall), (x + half, y)], color, POLE_PART
    )
    sprite.polygon(
        [(x - half * 0.2, y), (x - half * 0.2, y - tall), (x + half * 0.4, y - tall), (x + half * 0.4, y)],
        color * 1.25,
        0,
    )
    if arm:
        end = (x + inward * arm, y - tall - 0.25 * scale)
        sprite.line(
            [(x, y - tall), (x + inward * arm * 0.3, y - tall - 0.2 * scale), end], color, width * 0.55, POLE_PART
        )
        sprite.ellipse(end, (0.35 * scale, 0.1 * scale), color * 1.2, POLE_PART)
    elif not signs:
        sprite.ellipse((x, y - tall), (0.22 * scale, 0.25 * scale), color * 1.2, POLE_PART)
    top = y - tall + 0.25 * scale
    for _ in range(signs):
        size = rng.uniform(0.32, 0.48) * scale
        _sign(rng, sprite, x, top, size)
        top += size * rng.uniform(2.0, 2.3)
    rows, columns = sprite.parts.shape
    shade = 0.85 + 0.3 * noise(rng, rows, columns, max(rows / 5, 2), 2)
    sprite.shade(shade)
    return sprite


def _sign(rng: np.random.Generator, sprite: Sprite, x: float, y: float, size: float) -> None:
    face, symbol = (np.array(c, float) for c in _SIGN_FACES[rng.integers(len(_SIGN_FACES))])
    if rng.random() < 0.12:  # seen from behind
        face = symbol = jitter(rng, (140, 142, 143), 15)
    elif rng.random() < 0.12:
        face = any_color(rng)
    shape = rng.integers(5)
    if shape == 0:
        sprite.ellipse((x, y), (size, size), symbol, SIGN_PART)
        sprite.ellipse((x, y), (size * 0.78, size * 0.78), face, 0)
    else:
        corners, turn = ((3, -np.pi / 2), (4, 0.0), (8, np.pi / 8), (4, np.pi / 4))[shape - 1]
        angles = turn + 2 * np.pi * np.arange(corners) / corners
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * size * (1.2 if corners < 8 else 1.05)
        if shape == 4:
            ring[:, 1] *= rng.uniform(0.6, 1.4)
        sprite.polygon(ring + np.array([x, y]), symbol, SIGN_PART)
        sprite.polygon(ring * 0.76 + np.array([x, y]), face, 0)
    if rng.random() < 0.7:
        wide, tall = rng.uniform(0.12, 0.4) * size, rng.uniform(0.12, 0.4) * size
        sprite.polygon(
            [(x - wide, y - tall), (x + wide, y - tall), (x + wide, y + tall), (x - wide, y + tall)], symbol, 0
        )


def draw_bin(rng: np.random.Generator, x: float, y: float, scale: float) -> Sprite:
    """A bin, box or bench: an object without a class; one part."""
    wide, tall = rng.uniform(0.25, 0.8) * scale, rng.uniform(0.6, 1.3) * scale
    sprite = Sprite.blank(x - wide, y - tall, x + wide, y)
    color = any_color(rng)
    sprite.polygon([(x - wide, y), (x - wide, y - tall), (x + wide, y - tall), (x + wide, y)], color)
    sprite.polygon(
        [(x - wide, y - 0.8 * tall), (x - wide, y - tall), (x + wide, y - tall), (x + wide, y - 0.8 * tall)],
        color * 0.6,
    )
    return sprite
