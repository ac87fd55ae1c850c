"""From one mask a box to one map: what is certain, what is undecided, and where there is no thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from weakpan.basics.arrays import IGNORE, NO_THING, BoolMask, SemanticMap
from weakpan.data.annotations import Box, BoxKind


class Overlap(StrEnum):
    """Whose pixel it is where the masks of two classes meet."""

    SMALL = "small"
    IGNORE = "ignore"


def mask_iou(first: BoolMask, second: BoolMask) -> float:
    """Intersection over union of two masks of one shape, 0..1; 0 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def paint_masks(
    shape: tuple[int, int],
    boxes: Sequence[Box],
    masks: Mapping[int, BoolMask],
    overlap: Overlap = Overlap.SMALL,
    doubt_hides: bool = True,
) -> SemanticMap:
    """Paint the masks of all boxes of an image into one map, large boxes first.

    A smaller box is taken to be in front: its class, and by default its undecided pixels too, replace what a larger one
    says.
    Boxes of equal area are painted in their order.

    Args:
        shape: height and width of the image.
        boxes: of the image. Group boxes leave pixels undecided that no instance box covers; boxes of stuff do nothing.
        masks: by position of an instance box in `boxes`, (box height, box width); a box without one is undecided.
        overlap: SMALL keeps the smaller box's class where the masks of two boxes meet; IGNORE leaves those pixels
            undecided if the classes differ.
        doubt_hides: whether the undecided pixels of a smaller box replace the mask of a larger one, as in the released
            maps. Masks that were found box by box, and may have taken what stands in front, want that; masks that
            were drawn with all things in view do not.

    Returns:
        (H, W) uint8: train id of a thing, 255 undecided inside a box, NO_THING outside all boxes.
    """
    painted = np.full(shape, NO_THING, np.uint8)
    claims = np.full(shape, NO_THING, np.uint8)
    contested = np.zeros(shape, np.bool_)
    for k in sorted(range(len(boxes)), key=lambda k: -boxes[k].area):
        box = boxes[k]
        if box.kind is not BoxKind.INSTANCE:
            continue
        inside, mask = painted[box.slices], masks.get(k)
        inside[... if doubt_hides else inside == NO_THING] = IGNORE
        if mask is None:
            continue
        inside[mask] = box.class_id
        claimed = claims[box.slices]
        contested[box.slices] |= mask & (claimed != NO_THING) & (claimed != box.class_id)
        claimed[mask] = box.class_id
    if overlap is Overlap.IGNORE:
        painted[contested] = IGNORE
    for box in boxes:
        if box.kind is BoxKind.GROUP:
            inside = painted[box.slices]
            inside[inside == NO_THING] = IGNORE
    return painted
