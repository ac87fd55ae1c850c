"""Boxes from label maps, and the instance ids that boxes get, in the order of the authors' released code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from weakpan.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.catalog import Catalog
from weakpan.data.annotations import Box, BoxKind

INSTANCE_BASE = 1000
"""Instance maps of data sets hold `class * 1000 + n` for an instance and the bare class for everything else."""


def boxes_from_maps(semantic: SemanticMap, instances: InstanceMap, catalog: Catalog) -> tuple[Box, ...]:
    """Derive the boxes of an image from its real labels, once.

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
    # One number a region; those without an instance number sort before all instances, as raw ids do.
    span = int(instances.max(initial=0)) + 1
    codes = np.where(instances > 0, (semantic.astype(np.int64) + 256) * span + instances, semantic)
    codes[semantic == IGNORE] = -1
    found, regions = np.unique(codes, return_inverse=True)
    classes = np.where(found < 256, found, found // span - 256)
    ordered = [(int(c), bool(code >= 256)) for c, code in zip(classes, found, strict=True) if code >= 0]
    # Regions count from 1 for SciPy; pixels of no class, if there are any, come first and become 0.
    return _boxes_of_regions(regions.reshape(semantic.shape) + int(found[0] >= 0), ordered, catalog)


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
    values = np.flatnonzero(cv2.calcHist([ids], [0], None, [65536], [0, 65536]).ravel())
    classes = train_id_of[values].astype(np.int64)
    is_instance = (values >= INSTANCE_BASE) & catalog.is_thing[classes]
    numbers = np.where(is_instance, values % INSTANCE_BASE, 0)
    codes = (is_instance * 256 + classes) * INSTANCE_BASE + numbers
    kept = classes != IGNORE
    found, regions = np.unique(codes[kept], return_inverse=True)
    region_of = np.zeros(65536, np.uint16)
    region_of[values[kept]] = regions + 1
    ordered = [(int(code) // INSTANCE_BASE % 256, int(code) // INSTANCE_BASE >= 256) for code in found]
    return _boxes_of_regions(region_of[ids], ordered, catalog)


def _boxes_of_regions(
    regions: npt.NDArray[np.integer], ordered: Sequence[tuple[int, bool]], catalog: Catalog
) -> tuple[Box, ...]:
    """Boxes of the regions 1, 2, ... of a map (0 is none), whose class and whether they are instances are given."""
    height, width = regions.shape
    boxes = []
    for (class_id, is_instance), (rows, columns) in zip(ordered, ndimage.find_objects(regions), strict=True):
        if catalog.is_thing[class_id]:
            kind = BoxKind.INSTANCE if is_instance else BoxKind.GROUP
            boxes.append(Box(class_id, columns.start, rows.start, columns.stop - 1, rows.stop - 1, kind))
        else:
            boxes.append(Box(class_id, 0, 0, width - 1, height - 1, BoxKind.STUFF))
    return tuple(boxes)


class NumberedBox(NamedTuple):
    """A box and the instance id that its pixels get."""

    instance_id: int
    box: Box


def number_boxes(boxes: Iterable[Box]) -> list[NumberedBox]:
    """Give boxes the ids 1, 2, ... in their order.

    Group boxes and exact repeats of (class, box) get none. As in the authors' released code, the repeat of a group box
    is a repeat, whatever its own kind.

    Args:
        boxes: of one image, in the order of its annotation, of any kind.

    Returns:
        The boxes that got an id, ascending.
    """
    first: dict[tuple[int, int, int, int, int], Box] = {}
    for box in boxes:
        first.setdefault((box.class_id, box.xmin, box.ymin, box.xmax, box.ymax), box)
    kept = [box for box in first.values() if box.kind is not BoxKind.GROUP]
    return [NumberedBox(instance_id, box) for instance_id, box in enumerate(kept, start=1)]
