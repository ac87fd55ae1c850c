"""Boxes from label maps, in the order of the released code."""

from __future__ import annotations

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
