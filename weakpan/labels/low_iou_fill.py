"""Label rule: a box that hardly holds its class is filled with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import Box, BoxKind
from weakpan.labels.pixels import table_marking, translate
from weakpan.labels.rule import MapContext, MapRule


@dataclass(frozen=True)
class LowIouFill(MapRule):
    """Fills boxes that hardly hold their class.

    Attributes:
        threshold: boxes labelled to less than this fraction are filled, 0..1; 0.5 is the published setting.
        over_things: let the fill overwrite other things too, not only stuff and 255.
    """

    threshold: float = setting(0.5, between(0, 1))
    over_things: bool = False

    color = (0, 114, 178)

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `fill_sparse_boxes`."""
        return fill_sparse_boxes(
            semantic, context.annotation.boxes, context.catalog.is_thing, self.threshold, self.over_things
        )


def fill_sparse_boxes(
    semantic: SemanticMap,
    boxes: Iterable[Box],
    is_thing: npt.NDArray[np.bool_],
    threshold: float,
    over_things: bool = False,
) -> SemanticMap:
    """Fill instance boxes of which less than a fraction is labelled with their class.

    Boxes are filled from large to small (equal areas in their order), so that small boxes end up in front. How much of
    a box is labelled, and what a pixel is, are read from the map as it was before the first box.

    The pixels of a box are `xmin < x <= xmax, ymin < y <= ymax` here, for the count and for the fill: the authors'
    released code rasterises the box as a polygon, which leaves out its first row and column. A box one pixel wide or
    high therefore has no pixels and is left alone, as are group boxes and boxes of stuff.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        boxes: inside the image, of any kind.
        is_thing: (256,), as in `Catalog.is_thing`.
        threshold: boxes with a labelled fraction below it are filled, 0..1.
        over_things: also overwrite pixels that were another thing; else only stuff and 255.

    Returns:
        (H, W) uint8, a new map.
    """
    filled = semantic.copy()
    # Read before the first fill. Pixels that were of the box's class are not fillable, even where a larger box has
    # taken them since.
    fillable = None if over_things else translate(semantic, table_marking(~is_thing)).view(np.bool_)
    instances = [b for b in boxes if b.kind is BoxKind.INSTANCE]
    for box in sorted(instances, key=lambda b: -b.area):
        raster = slice(box.ymin + 1, box.ymax + 1), slice(box.xmin + 1, box.xmax + 1)
        other = semantic[raster] != box.class_id
        if other.size and (other.size - np.count_nonzero(other)) / other.size < threshold:
            np.copyto(filled[raster], np.uint8(box.class_id), where=other if fillable is None else fillable[raster])
    return filled
