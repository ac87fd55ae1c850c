"""Label rule: things are inside the boxes of their class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import SemanticMap
from weakpan.data.annotations import Box
from weakpan.labels.pixels import ignored_where, table_marking, translate
from weakpan.labels.rule import MapContext, MapRule


@dataclass(frozen=True)
class BoxPrior(MapRule):
    """Ignores things outside the boxes of their class."""

    color = (213, 94, 0)

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `drop_things_outside_boxes`."""
        return drop_things_outside_boxes(semantic, context.annotation.boxes, context.catalog.is_thing)


def drop_things_outside_boxes(
    semantic: SemanticMap, boxes: Iterable[Box], is_thing: npt.NDArray[np.bool_]
) -> SemanticMap:
    """Turn pixels of things outside all boxes of their class into 255; stuff stays.

    Group boxes count as boxes here. A class of things without a box disappears.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        boxes: inside the image, of any kind.
        is_thing: (256,), as in `Catalog.is_thing`.

    Returns:
        (H, W) uint8, a new map.
    """
    stray = translate(semantic, table_marking(is_thing)).view(np.bool_)
    for box in boxes:
        # `stray` only loses pixels, so the order of the boxes and their overlaps do not matter.
        stray[box.slices] &= semantic[box.slices] != box.class_id
    return ignored_where(semantic, stray)
