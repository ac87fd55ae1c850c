"""Shades of a class colour, one an instance."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog

_MAX_DISTANCE = 30.0
"""How far a shade may be from its class colour, in CIE L*a*b* (1976) units; 2.3 is a just noticeable difference."""

_MARGIN = 0.9
"""A shade is at most this many times as far from its class colour as from any other."""

_GRID_STEP = 12


def instance_shades(catalog: Catalog, class_id: int, count: int) -> npt.NDArray[np.uint8]:
    """Colours for one or more instances of a class, as different from each other as they can be while the class shows.

    Every shade is nearer (in CIE L*a*b*) to the colour of its class than to the colour of any other class: cars,
    trucks and motorcycles, all of them blue, stay apart. Shades are chosen one after the other, each as far as
    possible from those before it (farthest-point sampling), so the k-th does not depend on `count`.

    Returns:
        (count, 3) uint8 RGB; the first is the class colour. At least some tens are distinct (how many depends on
        how near the other classes are), then they repeat.
    """
    # Asking the cache for powers of two keeps it small.
    shades = _shades(catalog, class_id, 1 << max(5, (count - 1).bit_length()))
    return shades[np.arange(count) % len(shades)]


@lru_cache(maxsize=256)
def _shades(catalog: Catalog, class_id: int, count: int) -> npt.NDArray[np.uint8]:
    color = np.array(catalog.classes[class_id].color, np.uint8)
    others = np.array([c.color for c in catalog.classes if c.color != tuple(color)], np.uint8).reshape(-1, 3)
    levels = np.arange(0, 256, _GRID_STEP, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab, lab_of_class = _to_lab(grid), _to_lab(color[None])[0]
    from_class = _distance(lab, lab_of_class)
    allowed = (from_class > 0) & (from_class <= _MAX_DISTANCE)
    for other in _to_lab(others):
        allowed &= from_class <= _MARGIN * _distance(lab, other)
    grid, lab, to_chosen = grid[allowed], lab[allowed], from_class[allowed]
    chosen = [color]
    while len(chosen) < min(count, len(grid) + 1):
        farthest = int(np.argmax(to_chosen))
        chosen.append(grid[farthest])
        to_chosen = np.minimum(to_chosen, _distance(lab, lab[farthest]))
    return np.stack(chosen)


def _to_lab(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    if not len(colors):
        return np.zeros((0, 3), np.float32)
    scaled = (colors[:, None] / 255.0).astype(np.float32)
    return cv2.cvtColor(scaled, cv2.COLOR_RGB2Lab)[:, 0].astype(np.float32)


def _distance(lab: npt.NDArray[np.float32], point: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    distance: npt.NDArray[np.float64] = np.linalg.norm(lab.astype(np.float64) - point, axis=1)
    return distance
