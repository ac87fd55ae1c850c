"""Cars of the toy scenes: a side profile, extruded to its width and seen in perspective from any side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weakpan.toy_city.canvas import Camera, Color, Points, Sprite
from weakpan.toy_city.textures import any_color, jitter, noise

_WHEEL_RADIUS = 0.33
_AXLES = (0.19, 0.80)
_BELT = 0.62
"""Relative height above which the cabin becomes narrower."""


@dataclass(frozen=True)
class _Body:
    """A car's shape; profile and windows are (u, v): rear 0 to front 1, ground 0 to roof 1."""

    length: float
    width: float
    height: float
    profile: tuple[tuple[float, float], ...]
    glass: frozenset[int]
    windows: tuple[tuple[tuple[float, float], ...], ...]


_BODIES = (
    _Body(
        4.5, 1.8, 1.42,
        ((0, 0.2), (0, 0.64), (0.15, 0.68), (0.28, 0.98), (0.52, 1), (0.70, 0.68), (0.96, 0.58), (1, 0.45), (1, 0.2)),
        frozenset({2, 4}),
        (((0.23, 0.68), (0.31, 0.92), (0.43, 0.94), (0.43, 0.68)),
         ((0.46, 0.68), (0.46, 0.94), (0.52, 0.93), (0.64, 0.68))),
    ),
    _Body(
        3.9, 1.7, 1.48,
        ((0, 0.2), (0, 0.62), (0.07, 0.95), (0.2, 1), (0.55, 1), (0.75, 0.67), (0.97, 0.58), (1, 0.42), (1, 0.2)),
        frozenset({1, 4}),
        (((0.08, 0.67), (0.13, 0.92), (0.36, 0.94), (0.36, 0.67)),
         ((0.39, 0.67), (0.39, 0.94), (0.55, 0.93), (0.69, 0.67))),
    ),
    _Body(
        4.6, 1.85, 1.72,
        ((0, 0.22), (0, 0.6), (0.04, 0.96), (0.12, 1), (0.58, 1), (0.73, 0.68), (0.97, 0.63), (1, 0.5), (1, 0.22)),
        frozenset({1, 4}),
        (((0.05, 0.68), (0.09, 0.92), (0.34, 0.94), (0.34, 0.68)),
         ((0.37, 0.68), (0.37, 0.94), (0.57, 0.93), (0.68, 0.68))),
    ),
    _Body(
        4.9, 1.95, 2.05,
        ((0, 0.18), (0, 0.93), (0.03, 1), (0.7, 1), (0.86, 0.62), (0.98, 0.5), (1, 0.4), (1, 0.18)),
        frozenset({3}),
        (((0.6, 0.62), (0.6, 0.9), (0.69, 0.9), (0.8, 0.62)),),
    ),
)  # fmt: skip


class _Placed:
    """A body at a place of the street, ready to be projected."""

    def __init__(self, body: _Body, camera: Camera, x: float, z: float, heading: float) -> None:
        self.body, self.camera = body, camera
        self.center = np.array([x, 0, z])
        self.forward = np.array([np.sin(heading), 0, np.cos(heading)])
        self.right = np.array([np.cos(heading), 0, -np.sin(heading)])

    def world(self, u: Points, v: Points, side: Points) -> Points:
        """(N, 3) metres of body points: u along, v up, side -1 (left) to 1 (right)."""
        half = self.body.width / 2 * (1 - 0.18 * np.clip((v - _BELT) / (1 - _BELT), 0, 1))
        along = self.center + np.outer((u - 0.5) * self.body.length, self.forward)
        points: Points = along + np.outer(side * half, self.right) + np.outer(v * self.body.height, (0, 1, 0))
        return points

    def pixels(self, u: Points, v: Points, side: Points) -> Points:
        """(N, 2) canvas pixels of body points."""
        return self.camera.project(self.world(u, v, side))

    def panel(self, outline: tuple[tuple[float, float], ...], side: float) -> Points:
        """(N, 2) canvas pixels of a polygon (u, v) on one flank."""
        u, v = np.array(outline, float).T
        return self.pixels(u, v, np.full(len(u), side))

    def across(self, low: tuple[float, float], high: tuple[float, float], left: float, right: float) -> Points:
        """(4, 2) canvas pixels of a strip from flank to flank between two profile points."""
        ends = np.array([low, low, high, high], float)
        return self.pixels(ends[:, 0], ends[:, 1], np.array([left, right, right, left], float))

    def sees(self, point: Points, normal: Points) -> bool:
        """Whether the camera is on the outer side of a face at a world point (3,)."""
        eye = np.array([-self.camera.bend * point[2] ** 2, self.camera.height, 0.0])
        return float(np.dot(eye - point, normal)) > 0


def footprint(camera: Camera, x: float, z: float, heading: float, margin: float) -> Points:
    """(4, 2) canvas pixels of the ground below a car, enlarged by `margin` metres."""
    forward = np.array([np.sin(heading), 0, np.cos(heading)]) * (2.1 + margin)
    right = np.array([np.cos(heading), 0, -np.sin(heading)]) * (0.85 + margin)
    corners = np.array([x, 0, z]) + np.array([forward + right, forward - right, -forward - right, right - forward])
    corners[:, 2] = np.maximum(corners[:, 2], 1)
    return camera.project(corners)


def draw_car(
    rng: np.random.Generator, camera: Camera, x: float, z: float, heading: float, paint: Color, sky: Color
) -> Sprite:
    """A car of a random body.

    Args:
        rng: source of the body and its details.
        camera: that sees it.
        x: sideways place of its centre, metres.
        z: depth of its centre, metres; above 4.
        heading: 0 drives away from the camera, pi towards it, radians.
        paint: colour (3,).
        sky: colour (3,) that windows reflect.

    Returns:
        A sprite with one part.
    """
    body = _BODIES[rng.choice(len(_BODIES), p=(0.3, 0.35, 0.22, 0.13))]
    car = _Placed(body, camera, x, z, heading)
    corners = np.array([(u, v, s) for u in (0.0, 1.0) for v in (0.0, 1.0) for s in (-1.0, 1.0)])
    bounds = car.pixels(*corners.T)
    grow = 0.1 * camera.scale(z)
    sprite = Sprite.blank(*(bounds.min(axis=0) - grow), *(bounds.max(axis=0) + grow))
    glass = sky * rng.uniform(0.15, 0.55) + rng.uniform(5, 35)
    light = rng.uniform(-0.25, 0.25)
    _tyres(sprite, car)
    _shell(sprite, car, paint, glass, light)
    _ends(rng, sprite, car, paint)
    side = 1.0 if car.sees(car.center + car.right, car.right) else -1.0
    if np.ptp(car.panel(((0, 0.5), (1, 0.5)), side)[:, 0]) > 2:
        _flank(rng, sprite, car, side, paint * (0.85 + side * light), glass)
    rows, columns = sprite.parts.shape
    shade = np.linspace(1.12, 0.85, rows, dtype=np.float32)[:, None] * (
        0.85 + 0.3 * noise(rng, rows, columns, rows / 3)
    )
    sprite.shade(shade)
    return sprite


def _tyres(sprite: Sprite, car: _Placed) -> None:
    for u in (0.06, 0.94):
        for left, right in ((-0.98, -0.68), (0.68, 0.98)):
            sprite.polygon(car.across((u, 0.0), (u, 0.3), left, right), np.full(3, 26.0))


def _shell(sprite: Sprite, car: _Placed, paint: Color, glass: Color, light: float) -> None:
    """Bonnet, roof, screens and ends: the strips that face the camera, the farthest first."""
    faces = []
    for index, (low, high) in enumerate(zip(car.body.profile, car.body.profile[1:], strict=False)):
        normal_u = -(high[1] - low[1]) * car.body.height
        normal_v = (high[0] - low[0]) * car.body.length
        normal = normal_u * car.forward + np.array([0, normal_v, 0])
        normal /= np.linalg.norm(normal)
        middle = car.world(*np.array([[(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 0.0]]).T)[0]
        if car.sees(middle, normal):
            faces.append((float(np.linalg.norm(middle)), index, low, high, 0.88 + 0.28 * normal[1] + 0.3 * light))
    for _, index, low, high, shade in sorted(faces, reverse=True):
        sprite.polygon(car.across(low, high, -1, 1), paint * shade)
        if index in car.body.glass:
            inner = np.array(low) * 0.9 + np.array(high) * 0.1, np.array(low) * 0.12 + np.array(high) * 0.88
            sprite.polygon(car.across(tuple(inner[0]), tuple(inner[1]), -0.86, 0.86), glass)


def _ends(rng: np.random.Generator, sprite: Sprite, car: _Placed, paint: Color) -> None:
    """Lamps, plate, bumper and grille of the end that faces the camera."""
    front = car.sees(car.center + car.forward, car.forward)
    if not front and not car.sees(car.center - car.forward, -car.forward):
        return
    u = 1.0 if front else 0.0
    lamp = np.array([235.0, 232, 215]) if front else np.array([165.0, 25, 25]) * rng.uniform(0.8, 1.4)
    sprite.polygon(car.across((u, 0.2), (u, 0.3), -1, 1), paint * 0.45)
    top = 0.44 if front else 0.58
    for left, right in ((-0.97, -0.62), (0.62, 0.97)):
        sprite.polygon(car.across((u, top - 0.12), (u, top), left, right), lamp)
    if front:
        sprite.polygon(car.across((u, 0.3), (u, 0.42), -0.5, 0.5), np.full(3, 35.0))
    sprite.polygon(car.across((u, 0.27), (u, 0.35), -0.25, 0.25), np.array([222.0, 222, 210]))


def _flank(rng: np.random.Generator, sprite: Sprite, car: _Placed, side: float, paint: Color, glass: Color) -> None:
    scale = car.camera.scale(car.center[2])
    sprite.polygon(car.panel(car.body.profile, side), paint)
    for window in car.body.windows:
        sprite.polygon(car.panel(window, side), glass * 0.85)
    for door in (0.43, 0.66):
        sprite.line(car.panel(((door, 0.25), (door, 0.66)), side), paint * 0.6, 0.02 * scale)
    sprite.polygon(car.panel(((0.02, 0.2), (0.98, 0.2), (0.98, 0.27), (0.02, 0.27)), side), paint * 0.5)
    hub = jitter(rng, (150, 150, 150), 25) if rng.random() < 0.8 else any_color(rng)
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for axle in _AXLES:
        for radius, color in ((1.18, np.full(3, 18.0)), (1.0, np.full(3, 34.0)), (0.62, hub), (0.2, hub * 0.5)):
            r = _WHEEL_RADIUS * radius
            u = axle + r * np.cos(turn) / car.body.length
            v = np.maximum(_WHEEL_RADIUS + r * np.sin(turn), 0.0) / car.body.height
            # The arch around the wheel is a hollow in the body: it must not reach below it.
            sprite.polygon(car.pixels(u, v, np.full(16, side)), color, part=int(radius <= 1))
