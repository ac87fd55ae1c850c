"""Boxes from label maps, and the instance ids that boxes get, in the order of the authors' released code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap, runs_of
from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import Box, BoxKind

INSTANCE_BASE = 1000
"""Instance maps of data sets hold `class * 1000 + n` for an instance and the bare class for everything else."""


def boxes_from_maps(semantic: SemanticMap, instances: InstanceMap, catalog: Catalog) -> tuple[Box, ...]:
    """Derive the boxes of an image from its ground truth, once.

    Follows the authors' released code: ids ascending, so that pixels without an instance number come first (an
    image-wide pseudo box for each class of stuff, a group box for each class of things), then the instances by class
    and number.

    Args:
        semantic: (H, W) train ids, 255 ignored.
        instances: (H, W) int32, 0 for no instance, k >= 1 the k-th instance of its class.
        catalog: tells things from stuff.

    Returns:
        The boxes; instance ids of pseudo labels follow this order.
    """
    return find_regions(semantic, instances, catalog)[0]


def find_regions(
    semantic: SemanticMap, instances: InstanceMap, catalog: Catalog
) -> tuple[tuple[Box, ...], npt.NDArray[np.int32]]:
    """The boxes of `boxes_from_maps`, and (H, W) int32: k on the pixels that the k-th of them stands for, 0 on ignored.

    Boxes of instances come last, by class and number.
    """
    starts, lengths = runs_of(semantic, instances)
    classes, numbers = semantic.ravel()[starts], instances.ravel()[starts]
    ordered, of_runs = _regions(classes, np.where(catalog.is_thing[classes] & (numbers > 0), numbers, _NO_NUMBER))
    boxes = _boxes_of_regions(starts, of_runs, semantic.shape, ordered, catalog)
    return boxes, np.repeat(of_runs, lengths).reshape(semantic.shape)


def boxes_from_ids(
    ids: npt.NDArray[np.uint16], train_id_of: npt.NDArray[np.uint8], catalog: Catalog
) -> tuple[Box, ...]:
    """The same from a map as data sets store it: `class * 1000 + n` for an instance, the bare class for the rest.

    Args:
        ids: (H, W) uint16.
        train_id_of: (65536,) train id of every value of `ids`, 255 for those that are ignored.
        catalog: tells things from stuff.

    Returns:
        The boxes, as `boxes_from_maps` gives them. A number after a class of stuff says nothing.
    """
    starts, _ = runs_of(ids)
    of_runs = ids.ravel()[starts]
    values = np.flatnonzero(np.bincount(of_runs))
    classes = train_id_of[values]
    is_instance = (values >= INSTANCE_BASE) & catalog.is_thing[classes]
    region_of = np.zeros(65536, np.int32)
    ordered, region_of[values] = _regions(classes, np.where(is_instance, values % INSTANCE_BASE, _NO_NUMBER))
    return _boxes_of_regions(starts, region_of[of_runs], ids.shape, ordered, catalog)


_NO_NUMBER = -1
"""In place of an instance number; it sorts before all of them, as raw ids do."""


def _regions(
    classes: npt.NDArray[np.uint8], numbers: npt.NDArray[np.integer]
) -> tuple[list[tuple[int, bool]], npt.NDArray[np.int32]]:
    """Put the regions of an image in order.

    Args:
        classes: (N,) train ids, 255 for none.
        numbers: (N,) the instance numbers that go with them, or _NO_NUMBER.

    Returns:
        Class of each region and whether it is an instance; and (N,) the regions, counted from 1, 0 where there is none.
    """
    span = int(numbers.max(initial=0)) + 1
    has_number = numbers != _NO_NUMBER
    codes = (has_number * 256 + classes.astype(np.int64)) * span + np.where(has_number, numbers, 0)
    kept = classes != IGNORE
    found, positions = np.unique(codes[kept], return_inverse=True)
    regions = np.zeros(classes.size, np.int32)
    regions[kept] = positions + 1
    return [(code // span % 256, code // span >= 256) for code in found.tolist()], regions


def _boxes_of_regions(
    starts: npt.NDArray[np.intp],
    regions: npt.NDArray[np.int32],
    shape: tuple[int, ...],
    ordered: Sequence[tuple[int, bool]],
    catalog: Catalog,
) -> tuple[Box, ...]:
    """Boxes of regions as `_regions` gives them, from where the runs of the (H, W) map start."""
    height, width = shape
    rows = starts // width
    left, right = starts - rows * width, np.append(starts[1:], height * width) - 1 - rows * width
    xmin, ymin, xmax, ymax = corners = np.zeros((4, len(ordered) + 1), np.intp)
    xmin[:] = width
    np.minimum.at(xmin, regions, left)
    np.maximum.at(xmax, regions, right)
    # Of several values for one place the last one stays, and rows ascend.
    ymin[regions[::-1]] = rows[::-1]
    ymax[regions] = rows
    boxes = []
    for (class_id, is_instance), (x0, y0, x1, y1) in zip(ordered, corners[:, 1:].T.tolist(), strict=True):
        if catalog.is_thing[class_id]:
            kind = BoxKind.INSTANCE if is_instance else BoxKind.GROUP
            boxes.append(Box(class_id, x0, y0, x1, y1, kind))
        else:
            boxes.append(Box(class_id, 0, 0, width - 1, height - 1, BoxKind.STUFF))
    return tuple(boxes)


class NumberedBox(NamedTuple):
    """A box and the instance id that its pixels get."""

    instance_id: int
    box: Box


def number_boxes(boxes: Iterable[Box]) -> list[NumberedBox]:
    """The boxes of an image that get an id, with the ids 1, 2, ... in the order of its annotation.

    Group boxes and exact repeats of (class, box) get none. As in the authors' released code, the repeat of a group box
    is a repeat, whatever its own kind.
    """
    first: dict[tuple[int, int, int, int, int], Box] = {}
    for box in boxes:
        first.setdefault((box.class_id, box.xmin, box.ymin, box.xmax, box.ymax), box)
    kept = [box for box in first.values() if box.kind is not BoxKind.GROUP]
    return [NumberedBox(instance_id, box) for instance_id, box in enumerate(kept, start=1)]
