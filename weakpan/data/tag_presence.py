"""Where a class must occur: the other half of what boxes and tags say.

Candidate sets tell what a pixel cannot be; a tag also tells that its class is somewhere in the crop, and a box that its
class fills a good part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.transforms import View


@dataclass(frozen=True)
class Presence:
    """Rectangles of a view in which classes are known to occur.

    Attributes:
        areas: (R, 4) int64: top, left, bottom, right in pixels of the view, the last two exclusive.
        classes: (R, C) bool, the classes that occur.
        is_box: (R,) bool, True for the box of one thing, which its class fills for a good part; False for a crop or the
            box of a crowd, in which a class may be a few pixels.
    """

    areas: npt.NDArray[np.int64]
    classes: npt.NDArray[np.bool_]
    is_box: npt.NDArray[np.bool_]


def nowhere(num_classes: int) -> Presence:
    """Nothing known."""
    return Presence(np.zeros((0, 4), np.int64), np.zeros((0, num_classes), bool), np.zeros(0, bool))


def presence(annotation: ImageAnnotation, grid: CropGrid, catalog: Catalog, view: View) -> Presence:
    """What must occur in a view: stuff in the crops, and things in the boxes, that it shows entirely."""
    stuff = ~catalog.is_thing[: catalog.num_classes]
    found: list[tuple[tuple[int, int, int, int], npt.NDArray[np.bool_], bool]] = []
    tagged = annotation.tag_matrix(catalog.num_classes)
    for crop, tags in zip(grid.crops(annotation.height, annotation.width), tagged, strict=True):
        area = _on_view(view, crop.top, crop.left, crop.bottom, crop.right)
        if area is not None:
            found.append((area, tags & stuff, False))
    for box in annotation.boxes:
        area = None if box.kind is BoxKind.STUFF else _on_view(view, box.ymin, box.xmin, box.ymax + 1, box.xmax + 1)
        if area is not None:
            # A crowd may be scattered over its box.
            found.append((area, np.arange(catalog.num_classes) == box.class_id, box.kind is BoxKind.INSTANCE))
    if not found:
        return nowhere(catalog.num_classes)
    areas, classes, is_box = zip(*found, strict=True)
    return Presence(np.array(areas, np.int64), np.array(classes), np.array(is_box))


def _on_view(view: View, top: int, left: int, bottom: int, right: int) -> tuple[int, int, int, int] | None:
    """A rectangle of the source on the view; None unless the view shows all of it."""
    inside = top >= view.top and bottom <= view.top + view.height
    if not inside or left < view.left or right > view.left + view.width:
        return None
    vertical, horizontal = view.scale
    start, stop = ((x - view.left) * horizontal for x in (left, right))
    if view.flip:
        start, stop = view.canvas_width - stop, view.canvas_width - start
    first_row, last_row = ((y - view.top) * vertical for y in (top, bottom))
    area = round(first_row), round(start), round(last_row), round(stop)
    return area if area[2] > area[0] and area[3] > area[1] else None
