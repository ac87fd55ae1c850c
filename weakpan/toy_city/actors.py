"""Who and what is in a toy street: places every object, and paints them from far to near with their shadows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weakpan.toy_city.canvas import Camera, Canvas, Color, Sprite
from weakpan.toy_city.cars import draw_car, footprint
from weakpan.toy_city.furniture import draw_bin, draw_bush, draw_pole, draw_tree
from weakpan.toy_city.people import draw_bicycle, draw_cyclist, draw_person
from weakpan.toy_city.street import GROUND_IDS, LABEL_IDS, Street
from weakpan.toy_city.textures import any_color, jitter, leaf_color, paint_color

STATIC_ID = 4
"""Cityscapes label id of objects that belong to no class."""

_Paint = Callable[[float, float, float, float], None]
"""Paints an object at x, y canvas pixels, with canvas pixels per metre, at a depth in metres."""


class Actors:
    """Collects objects with random places and looks, and paints them on a canvas with sky, ground and houses.

    Windows of cars reflect the colour `sky` (3,).
    """

    def __init__(self, rng: np.random.Generator, canvas: Canvas, camera: Camera, street: Street, sky: Color) -> None:
        self.rng, self.canvas, self.camera, self.street, self.sky = rng, canvas, camera, street, sky
        self._queue: list[tuple[float, float, _Paint]] = []
        self._taken: list[tuple[float, float, float]] = []
        sunny = rng.random() < 0.65
        self._shadow = rng.uniform(0.45, 0.75) if sunny else 1.0
        self._sun = rng.uniform(-1.2, 1.2), rng.uniform(-0.6, 0.6)

    def place(self) -> None:
        """Choose the objects of a scene and their places."""
        self._place_parked_cars()
        self._place_traffic()
        self._place_people()
        self._place_bicycles()
        self._place_furniture()

    def paint(self) -> None:
        """Paint everything that was placed, from far to near."""
        for depth, x, paint in sorted(self._queue, key=lambda entry: (-entry[0], entry[1])):
            column, row = self.camera.project(np.array([(x, 0.0, depth)]))[0]
            paint(float(column), float(row), self.camera.scale(depth), depth)

    def _add(self, x: float, z: float, radius: float, paint: _Paint) -> bool:
        """Queue an object unless it is out of sight or something stands there."""
        column = self.camera.project(np.array([(x, 0.0, z)]))[0, 0]
        width, margin = self.canvas.depth.shape[1], 0.5 * radius * self.camera.scale(z)
        if not -margin < column < width + margin:
            return False
        if any((x - a) ** 2 + (z - b) ** 2 < (radius + r) ** 2 for a, b, r in self._taken):
            return False
        self._taken.append((x, z, radius))
        self._queue.append((z, x, paint))
        return True

    def _depth(self, near: float, far: float) -> float:
        """A depth in metres, near ones more often."""
        return float(near * (far / near) ** self.rng.random())

    def _beside(self) -> float:
        """X of a place on one of the two sidewalks."""
        street = self.street
        if self.rng.random() < 0.5:
            return float(self.rng.uniform(street.left + 0.4, street.road_left - 0.3))
        return float(self.rng.uniform(street.road_right + 0.3, street.right - 0.4))

    def _try(self, count: int, place: Callable[[], bool]) -> None:
        """Place `count` objects; a place that is taken or out of sight is drawn again a few times."""
        for _ in range(count):
            for _attempt in range(8):
                if place():
                    break

    def _camouflaged(self, color: Color, x: float, y: float, radius: float, share: float) -> Color:
        """The colour, or in a share of the cases about that of the background at (x, y) canvas pixels."""
        if self.rng.random() < share:
            return jitter(self.rng, self.canvas.mean_color(x, y, radius), 10)
        return color

    def _cast_shadow(self, x: float, y: float, z: float, tall: float, wide: float) -> None:
        """Darken the ground around (x, y) canvas pixels for an object of this height and half width in metres."""
        foot, scale = np.array([x, y]), self.camera.scale(z)
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        contact = foot + np.stack([np.cos(turn) * wide * 1.1, np.sin(turn) * wide * 0.25], axis=1) * scale
        self.canvas.shade(contact, GROUND_IDS, 0.6)
        if self._shadow < 1:
            shift = np.array([self._sun[0] * tall, -self._sun[1] * tall * self.camera.height / z]) * scale
            side = np.array([wide * 0.8 * scale, 0.0])
            self.canvas.shade(
                np.array([foot - side, foot + side, foot + shift + side, foot + shift - side]), GROUND_IDS, self._shadow
            )

    def _paint_one(self, sprite: Sprite, name: str, z: float, group: int | None = None) -> None:
        number = self.canvas.new_segment(LABEL_IDS[name], is_instance=True) if group is None else group
        self.canvas.paint(sprite, (number,), z)

    def _car(self, x: float, z: float, heading: float, group: int | None = None) -> bool:
        def paint(column: float, row: float, scale: float, depth: float) -> None:
            color = self._camouflaged(paint_color(self.rng), column, row - 0.7 * scale, scale, 0.25)
            self.canvas.shade(footprint(self.camera, x, depth, heading, 0.15), GROUND_IDS, 0.45)
            if self._shadow < 1:
                moved = footprint(self.camera, x + self._sun[0], max(depth + self._sun[1], 4), heading, 0.0)
                self.canvas.shade(moved, GROUND_IDS, self._shadow)
            self._paint_one(draw_car(self.rng, self.camera, x, depth, heading, color, self.sky), "car", depth, group)

        return self._add(x, z, 1.9 if abs(np.sin(heading)) < 0.5 else 2.3, paint)

    def _person(self, x: float, z: float, group: int | None = None) -> bool:
        def paint(column: float, row: float, scale: float, depth: float) -> None:
            self._cast_shadow(column, row, depth, 1.7, 0.25)
            coat = self._camouflaged(any_color(self.rng), column, row - 1.2 * scale, 0.5 * scale, 0.3)
            self._paint_one(draw_person(self.rng, column, row, scale, coat), "person", depth, group)

        return self._add(x, z, 0.3, paint)

    def _cyclist(self, x: float, z: float) -> bool:
        def paint(column: float, row: float, scale: float, depth: float) -> None:
            self._cast_shadow(column, row, depth, 1.6, 0.5)
            coat = self._camouflaged(any_color(self.rng), column, row - 1.2 * scale, 0.5 * scale, 0.25)
            turn = self.rng.choice((-1.0, 1.0)) * self.rng.uniform(0.3, 1.0)
            numbers = [self.canvas.new_segment(LABEL_IDS[name], is_instance=True) for name in ("bicycle", "rider")]
            self.canvas.paint(draw_cyclist(self.rng, column, row, scale, turn, coat), numbers, depth)

        return self._add(x, z, 0.7, paint)

    def _bicycle(self, x: float, z: float, group: int | None = None) -> bool:
        def paint(column: float, row: float, scale: float, depth: float) -> None:
            self._cast_shadow(column, row, depth, 0.6, 0.6)
            turn = self.rng.choice((-1.0, 1.0)) * self.rng.uniform(0.45, 1.0)
            self._paint_one(draw_bicycle(self.rng, column, row, scale, turn), "bicycle", depth, group)

        return self._add(x, z, 0.45, paint)

    def _place_parked_cars(self) -> None:
        for x, heading in ((self.street.road_right - 1.0, 0.0), (self.street.road_left + 1.0, np.pi)):
            if self.rng.random() < 0.55:
                z = self.rng.uniform(7, 16)
                for _ in range(self.rng.integers(1, 6)):
                    in_crossing = self.street.crossing and abs(z - sum(self.street.crossing) / 2) < 8
                    if not in_crossing:
                        turned = heading if self.rng.random() < 0.8 else np.pi - heading
                        self._car(x + self.rng.normal(0, 0.1), z, turned + self.rng.normal(0, 0.04))
                    z += self.rng.uniform(4.7, 9)

    def _place_traffic(self) -> None:
        street, rng = self.street, self.rng
        lane = street.road_left * 0.32
        ahead, oncoming = (lane + street.road_right) / 2, (lane + street.road_left) / 2

        def drive() -> bool:
            away = rng.random() < 0.5
            heading = (0.0 if away else np.pi) + rng.normal(0, 0.05)
            return self._car((ahead if away else oncoming) + rng.normal(0, 0.35), self._depth(8, 50), heading)

        def turn_off() -> bool:
            return self._car(rng.uniform(-8, 8), rng.uniform(9, 28), rng.uniform(0, 2 * np.pi))

        def cross() -> bool:
            low, high = street.crossing or (12, 26)
            return self._car(rng.uniform(-9, 9), rng.uniform(low + 2, high - 2), rng.choice((-0.5, 0.5)) * np.pi)

        self._try(int(rng.integers(0, 4)), drive)
        self._try(int(rng.random() < 0.15), turn_off)
        self._try(int(rng.random() < (0.75 if street.crossing else 0.2)), cross)

    def _place_people(self) -> None:
        rng = self.rng
        self._try(int(rng.integers(1, 6)), lambda: self._person(self._beside(), self._depth(7, 26)))
        self._try(int(rng.random() < 0.55), lambda: self._person(rng.uniform(-6, 5), self._depth(5.5, 22)))
        if rng.random() < 0.2:
            x, z = self._beside(), self._depth(10, 28)
            group = self.canvas.new_segment(LABEL_IDS["person"])
            self._try(
                int(rng.integers(4, 9)), lambda: self._person(x + rng.normal(0, 0.8), z + rng.normal(0, 0.7), group)
            )
        self._try(
            int(rng.choice((0, 1, 2, 3), p=(0.3, 0.4, 0.22, 0.08))),
            lambda: self._cyclist(rng.uniform(self.street.road_left, self.street.road_right), self._depth(5.5, 22)),
        )

    def _place_bicycles(self) -> None:
        rng = self.rng
        self._try(
            int(rng.choice((0, 1, 2), p=(0.6, 0.25, 0.15))), lambda: self._bicycle(self._beside(), self._depth(6.5, 18))
        )
        if rng.random() < 0.12:
            x, z = self._beside(), self._depth(9, 20)
            group = self.canvas.new_segment(LABEL_IDS["bicycle"])
            for step in range(rng.integers(3, 7)):
                self._bicycle(x + rng.normal(0, 0.1), z + 0.95 * step, group)

    def _place_furniture(self) -> None:
        rng, street = self.rng, self.street
        kerbs = ((street.road_left - 0.45, 1.0), (street.road_right + 0.45, -1.0))

        def pole(signs: int, near: float, far: float) -> bool:
            x, inward = kerbs[rng.integers(2)]

            def paint(column: float, row: float, scale: float, depth: float) -> None:
                self._cast_shadow(column, row, depth, 3.0, 0.08)
                sprite = draw_pole(rng, column, row, scale, inward, signs)
                numbers = [self.canvas.new_segment(LABEL_IDS[n]) for n in ("pole", "traffic sign")]
                self.canvas.paint(sprite, numbers, depth)

            return self._add(x + rng.normal(0, 0.15), self._depth(near, far), 0.2, paint)

        self._try(int(rng.integers(1, 4)), lambda: pole(int(rng.choice((1, 2), p=(0.7, 0.3))), 7, 26))
        self._try(int(rng.integers(0, 4)), lambda: pole(0, 8, 50))
        self._try(
            int(rng.integers(0, 4)),
            lambda: self._plain(draw_tree, "vegetation", self._beside(), self._depth(11, 55), 3.5),
        )
        self._try(
            int(rng.integers(0, 4)),
            lambda: self._plain(draw_bush, "vegetation", self._beside(), self._depth(9, 40), 0.6),
        )
        self._try(int(rng.random() < 0.4), lambda: self._plain(draw_bin, None, self._beside(), self._depth(8, 25), 0.6))

    def _plain(self, draw: Callable[..., Sprite], name: str | None, x: float, z: float, tall: float) -> bool:
        def paint(column: float, row: float, scale: float, depth: float) -> None:
            self._cast_shadow(column, row, depth, tall, 0.5)
            color = (leaf_color(self.rng),) if name else ()
            number = self.canvas.new_segment(LABEL_IDS[name] if name else STATIC_ID)
            self.canvas.paint(draw(self.rng, column, row, scale, *color), (number,), depth)

        return self._add(x, z, 0.6, paint)
