"""Draw the rooms of the package and what they import: `python -m docs.draw_rooms` writes docs/rooms.svg.

Floors are the levels of `tests/unit/test_imports.py`. An arrow leads from a room to one that it imports from; those
that follow from others (a imports b, b imports c, so that a may import c) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.unit.test_imports import LEVEL, ORDER, STARTED, imported, modules, named, room_of

OUT = Path(__file__).with_name("rooms.svg")

WIDTH, FLOOR, BOX, HIGH, GAP = 760, 62, 104, 28, 46
"""Of the picture, of a floor, of a box (width and height), and between boxes, pixels."""

Edges = dict[str, set[str]]


def arrows() -> Edges:
    """The rooms that each room imports from."""
    found: Edges = {room: set() for room in LEVEL}
    for path in modules():
        room = room_of(path)
        for name in {*imported(path), *named(path)} - STARTED:
            other = name.split(".")[1] if name.startswith("weakpan.") else room
            if room in LEVEL and other in LEVEL and other != room:
                found[room].add(other)
    return found


def reduced(edges: Mapping[str, set[str]]) -> Edges:
    """The same without arrows that follow from others."""

    def below(room: str) -> set[str]:
        return edges[room].union(*(below(other) for other in edges[room]))

    return {room: {o for o in to if not any(o in below(via) for via in to - {o})} for room, to in edges.items()}


def places(edges: Mapping[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Centre of each box: below what uses it, as far as there is room on its floor."""
    found: dict[str, tuple[float, float]] = {}
    for level, rooms in enumerate(ORDER):
        y = (len(ORDER) - level - 0.5) * FLOOR
        wanted = {room: _mean((found[o][0] for o in edges[room]), WIDTH / 2) for room in rooms}
        in_order = sorted(rooms, key=lambda room: (wanted[room], room))
        middle, step = _mean(wanted.values(), WIDTH / 2), BOX + GAP
        half = (len(rooms) - 1) / 2 * step + BOX / 2
        middle = min(max(middle, half), WIDTH - half)
        for index, room in enumerate(in_order):
            found[room] = middle + (index - (len(rooms) - 1) / 2) * step, y
    return found


def _mean(values: Iterable[float], default: float) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else default


def draw_rooms() -> str:
    """The picture, as SVG."""
    edges = reduced(arrows())
    at = places(edges)
    height = len(ORDER) * FLOOR
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#557"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for level in range(0, len(ORDER), 2):
        y = (len(ORDER) - level - 1) * FLOOR
        lines.append(f'<rect y="{y}" width="{WIDTH}" height="{FLOOR}" fill="#f3f4f8"/>')
    for room, others in edges.items():
        lines += [_arrow(at[room], at[other], at.values()) for other in sorted(others)]
    for room, (x, y) in at.items():
        lines.append(
            f'<rect x="{x - BOX / 2:.0f}" y="{y - HIGH / 2:.0f}" width="{BOX}" height="{HIGH}" rx="4" fill="#fff" '
            f'stroke="#335" stroke-width="1.2"/>'
        )
        lines.append(f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" fill="#112">{room}</text>')
    return "\n".join([*lines, "</svg>", ""])


Point = tuple[float, float]


def _arrow(start: Point, end: Point, boxes: Iterable[Point]) -> str:
    """A curve from box to box, bent aside so that it runs through as few others as possible."""
    first, last = (start[0], start[1] + HIGH / 2), (end[0], end[1] - HIGH / 2 - 1)
    others = [box for box in boxes if box not in (start, end)]
    sides = (0, -50, 50, -100, 100, -150, 150, -200, 200)
    _, _, curve = min(
        (_hidden(curve, others), abs(side), curve) for side in sides for curve in [_curve(first, last, side)]
    )
    (x, y), *rest = curve
    return (
        f'<path d="M{x:.0f},{y:.0f} C{" ".join(f"{a:.0f},{b:.0f}" for a, b in rest)}" fill="none" stroke="#557" '
        'stroke-width="1.3" marker-end="url(#tip)"/>'
    )


def _curve(first: Point, last: Point, side: float) -> tuple[Point, ...]:
    """Control points of a Bezier curve."""
    bend = (last[1] - first[1]) * 0.45
    return first, (first[0] + side, first[1] + bend), (last[0] + side, last[1] - bend), last


def _hidden(curve: tuple[Point, ...], boxes: Iterable[Point]) -> int:
    """Number of points of a curve, out of 40, that lie in boxes."""
    listed, hidden = list(boxes), 0
    for step in range(41):
        t = step / 40
        weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
        x, y = (sum(w * point[axis] for w, point in zip(weights, curve, strict=True)) for axis in (0, 1))
        hidden += any(abs(x - a) < BOX / 2 + 6 and abs(y - b) < HIGH / 2 + 4 for a, b in listed)
    return hidden


if __name__ == "__main__":
    OUT.write_text(draw_rooms(), encoding="utf-8")
