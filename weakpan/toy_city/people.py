"""People, riders and bicycles of the toy scenes: jointed figures, seen from the side or turned towards the camera.

Each stands above the canvas pixel (x, y), with `scale` canvas pixels per metre; `turn` is 1 or -1 seen from the side,
nearer to 0 the more it points to the camera. Build, pose and colours are random.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.toy_city.canvas import Color, Sprite
from weakpan.toy_city.textures import any_color, jitter, noise

BICYCLE_PART = 1
RIDER_PART = 2

_SKINS = ((224, 180, 150), (190, 140, 105), (140, 95, 70), (90, 62, 48))
_HAIR = ((35, 28, 25), (90, 65, 45), (160, 130, 90), (130, 128, 125), (60, 45, 38))


class _Frame:
    """Turns figure coordinates (metres right of and above the foot point) into canvas pixels."""

    def __init__(self, x: float, y: float, scale: float, turn: float) -> None:
        self.x, self.y, self.scale, self.turn = x, y, scale, turn

    def __call__(self, *points: tuple[float, float]) -> npt.NDArray[np.float64]:
        return np.array([(self.x + self.scale * self.turn * u, self.y - self.scale * v) for u, v in points])


def _textured(rng: np.random.Generator, sprite: Sprite) -> Sprite:
    rows, columns = sprite.parts.shape
    shade = 0.72 + 0.56 * noise(rng, rows, columns, max(rows / 6, 2), 2)
    shade *= np.linspace(rng.uniform(0.8, 1.15), rng.uniform(0.8, 1.15), columns, dtype=np.float32)[None]
    sprite.shade(shade)
    return sprite


def _skin_and_hair(rng: np.random.Generator) -> tuple[Color, Color]:
    return jitter(rng, _SKINS[rng.integers(len(_SKINS))], 10), jitter(rng, _HAIR[rng.integers(len(_HAIR))], 10)


def draw_person(rng: np.random.Generator, x: float, y: float, scale: float, coat: Color) -> Sprite:
    """A person on foot in a coat (3,); one part."""
    height = rng.uniform(1.5, 1.9) if rng.random() < 0.88 else rng.uniform(1.0, 1.35)
    wide, facing = rng.uniform(0.9, 1.25), rng.choice((-1.0, 1.0))
    at = _Frame(x, y, scale * height, facing)
    trousers, (skin, hair) = jitter(rng, any_color(rng) * 0.7, 10), _skin_and_hair(rng)
    limb = scale * height * 0.075 * wide
    sprite = Sprite.blank(x - 0.5 * scale * height, y - 1.05 * scale * height, x + 0.5 * scale * height, y + 2)
    stride, swing = rng.uniform(-0.02, 0.17), rng.uniform(0.0, 0.14)
    back, front = -stride - 0.03, stride + 0.03
    sprite.line(at((0.0, 0.8), (-0.06 - swing / 2, 0.64), (-swing, 0.5)), coat * 0.75, limb * 0.8)
    for foot, knee, dark in ((back, back * 0.35, 0.75), (front, front * 0.75, 1.0)):
        leg = at((0.02 * np.sign(foot), 0.5), (knee, 0.27), (foot, 0.03))
        sprite.line(leg, trousers * dark, limb * 1.05)
        sprite.line(at((foot, 0.02), (foot + 0.05, 0.015)), np.full(3, 35.0), limb * 0.7)
    half, hem = 0.095 * wide, rng.choice((0.48, 0.47, 0.36, 0.25), p=(0.45, 0.25, 0.18, 0.12))
    flare = half * (0.85 if hem > 0.4 else rng.uniform(1.0, 1.35))
    sprite.polygon(
        at((-half, 0.8), (-half * 0.6, 0.845), (half * 0.6, 0.845), (half, 0.8), (flare, hem), (-flare, hem)), coat
    )
    if rng.random() < 0.3:
        sprite.ellipse(at((-half * 1.2, 0.68))[0], (limb * 0.9, limb * 1.5), any_color(rng))
    if rng.random() < 0.25:
        bag = at((swing + 0.02, 0.42), (swing + 0.13, 0.42), (swing + 0.12, 0.3), (swing + 0.03, 0.3))
        sprite.polygon(bag, any_color(rng))
    sprite.line(at((0.02, 0.79), (0.05 + swing / 3, 0.63), (swing + 0.05, 0.52)), coat * 0.88, limb * 0.8)
    sprite.ellipse(at((swing + 0.05, 0.5))[0], (limb * 0.35, limb * 0.35), skin)
    _head(rng, sprite, at, (0.01, 0.925), 0.062, skin, hair)
    return _textured(rng, sprite)


def _head(
    rng: np.random.Generator,
    sprite: Sprite,
    at: _Frame,
    center: tuple[float, float],
    radius: float,
    skin: Color,
    hair: Color,
    part: int = 1,
) -> None:
    u, v = center
    size = radius * at.scale
    sprite.line(at((u - 0.01, v - 1.6 * radius), center), skin * 0.85, size * 0.9, part)
    sprite.ellipse(at(center)[0], (size * 0.85, size * 1.15), skin, part)
    cap = at(
        (u - radius, v - rng.uniform(0, 0.8) * radius), (u - radius, v + radius), (u + radius * 0.5, v + 1.25 * radius)
    )
    sprite.polygon(np.concatenate([cap, at((u + radius * 0.8, v + 0.5 * radius))]), hair, part)


def _bicycle(rng: np.random.Generator, sprite: Sprite, at: _Frame, color: Color) -> None:
    tyre = jitter(rng, (40, 40, 42), 12)
    width, radius = max(0.065 * at.scale, 2.0), 0.33
    turned = max(abs(at.turn), 0.12)
    for u in (-0.52, 0.52):
        hub = at((u, radius))[0]
        sprite.ellipse(hub, (radius * at.scale * turned, radius * at.scale), tyre, BICYCLE_PART, width)
        sprite.ellipse(hub, (0.05 * at.scale, 0.05 * at.scale), tyre * 2, BICYCLE_PART)
    seat, bracket, head = (-0.2, 0.84), (-0.08, 0.32), (0.36, 0.82)
    tube = max(0.055 * at.scale, 2.0)
    for tubes in ((seat, bracket, head), ((-0.52, radius), bracket), ((-0.52, radius), (-0.18, 0.74), head)):
        sprite.line(at(*tubes), color, tube, BICYCLE_PART)
    sprite.line(at((0.52, radius), head, (0.34, 1.0)), color * 0.8, tube, BICYCLE_PART)
    grip = at((0.34, 1.0))[0]
    across = np.array([0.26 * at.scale * (1 - 0.6 * turned), 0.0])
    sprite.line([grip - across, grip + across], tyre, tube, BICYCLE_PART)
    sprite.line(at((-0.3, 0.88), (-0.1, 0.88)), tyre, tube * 1.6, BICYCLE_PART)
    if rng.random() < 0.3:
        sprite.polygon(at((-0.7, 0.68), (-0.3, 0.68), (-0.34, 0.86), (-0.66, 0.86)), any_color(rng), BICYCLE_PART)


def draw_bicycle(rng: np.random.Generator, x: float, y: float, scale: float, turn: float) -> Sprite:
    """A parked bicycle; one part, `BICYCLE_PART`."""
    sprite = Sprite.blank(x - 1.1 * scale, y - 1.2 * scale, x + 1.1 * scale, y + 2)
    _bicycle(rng, sprite, _Frame(x, y, scale, turn), any_color(rng))
    return _textured(rng, sprite)


def draw_cyclist(rng: np.random.Generator, x: float, y: float, scale: float, turn: float, coat: Color) -> Sprite:
    """A rider in a coat (3,) on a bicycle: the parts `BICYCLE_PART` and `RIDER_PART`."""
    at = _Frame(x, y, scale, turn)
    sprite = Sprite.blank(x - 1.1 * scale, y - 2 * scale, x + 1.1 * scale, y + 2)
    trousers, (skin, hair) = jitter(rng, any_color(rng) * 0.7, 10), _skin_and_hair(rng)
    limb, pedal = 0.14 * scale, rng.uniform(0, 2 * np.pi)
    hip, shoulder = (-0.22, 0.96), (rng.uniform(0.0, 0.2), rng.uniform(1.4, 1.5))
    apart = 0.13 * (1 - abs(turn)) / max(abs(turn), 0.15)
    feet = [(-0.06 + 0.17 * np.cos(pedal + p), 0.32 + 0.17 * np.sin(pedal + p)) for p in (np.pi, 0)]
    legs = []
    for foot, offset in zip(feet, (-apart, apart), strict=True):
        knee = (foot[0] * 0.5 + hip[0] * 0.5 + 0.26 + offset, (foot[1] + hip[1]) / 2 + 0.06)
        legs.append(at((hip[0] + offset, hip[1]), knee, (foot[0] + offset, foot[1])))
    sprite.line(legs[0], trousers * 0.7, limb, RIDER_PART)
    _bicycle(rng, sprite, at, any_color(rng))
    half = 0.21 - 0.06 * abs(turn)
    side = half / max(abs(turn), 0.15)
    torso = at((hip[0] - side, hip[1] - 0.03), (hip[0] + side, hip[1]), (shoulder[0] + side, shoulder[1]))
    sprite.polygon(np.concatenate([torso, at((shoulder[0] - side, shoulder[1]))]), coat, RIDER_PART)
    sprite.line(legs[1], trousers, limb, RIDER_PART)
    for offset in (-apart * 1.6, apart * 1.6):
        arm = at((shoulder[0] + offset, shoulder[1] - 0.05), (shoulder[0] + 0.12 + offset, 1.16), (0.33 + offset, 1.04))
        sprite.line(arm, coat * 0.85, limb * 0.75, RIDER_PART)
    hat = any_color(rng) if rng.random() < 0.5 else hair
    upright = _Frame(float(at(shoulder)[0][0]), y, scale, float(np.sign(turn)) or 1.0)
    _head(rng, sprite, upright, (0.05 * abs(turn), shoulder[1] + 0.2), 0.11, skin, hat, RIDER_PART)
    return _textured(rng, sprite)
