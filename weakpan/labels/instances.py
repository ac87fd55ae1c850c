"""Instance labels: which box a labelled pixel belongs to."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.data.annotations import Box
from weakpan.data.boxes import NumberedBox, number_boxes

UNLABELLED = -1
"""In the instance map of pseudo labels: no semantic label, or several boxes claim the pixel."""


def label_instances(semantic: SemanticMap, boxes: Iterable[Box]) -> InstanceMap:
    """Divide the pixels of each class among the boxes of that class.

    A pixel inside one box of its class gets the id of that box (see `number_boxes`), inside several -1, inside none 0.
    Boxes of stuff take part like any other.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        boxes: inside the image, in the order of its annotation, of any kind.

    Returns:
        (H, W) int32: 0 no instance, k >= 1 the k-th box, -1 where boxes of one class collide or `semantic` is 255.
    """
    numbered = number_boxes(boxes)
    height, width = semantic.shape
    # Repeats are gone, so a class has at most one box as large as the image, and all of those cost one lookup. That a
    # smaller box of the class may come first in the order is no matter: where both claim a pixel it is -1 either way.
    table = np.zeros(256, np.int32)
    table[IGNORE] = UNLABELLED
    smaller: list[NumberedBox] = []
    for entry in numbered:
        if entry.box.area == height * width:
            table[entry.box.class_id] = entry.instance_id
        else:
            smaller.append(entry)
    instances: InstanceMap = cv2.LUT(semantic, table).astype(np.int32, copy=False)
    for instance_id, box in smaller:
        region = instances[box.slices]
        claimed = np.where(region == 0, np.int32(instance_id), np.int32(UNLABELLED))
        np.copyto(region, claimed, where=semantic[box.slices] == box.class_id)
    return instances
