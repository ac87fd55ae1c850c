"""Boxes from label maps, and the instance ids that boxes get, in the order of the authors' released code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from weakpan.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.catalog import Catalog
from weakpan.data.annotations import Box, BoxKind


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
    height, width = semantic.shape
    valid = semantic != IGNORE
    # One number a region; those without an instance number sort before all instances, as raw ids do.
    span = int(instances.max(initial=0)) + 1
    codes = np.where(instances > 0, (semantic.astype(np.int64) + 256) * span + instances, semantic)
    boxes = []
    for code in np.unique(codes[valid]):
        class_id = int(code) if code < 256 else int(code) // span - 256
        if code < 256 and not catalog.is_thing[class_id]:
            boxes.append(Box(class_id, 0, 0, width - 1, height - 1, BoxKind.STUFF))
            continue
        region = valid & (codes == code)
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        kind = BoxKind.INSTANCE if code >= 256 else BoxKind.GROUP
        boxes.append(Box(class_id, int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]), kind))
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
