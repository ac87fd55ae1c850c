"""Label rule: a class that is not among a crop's tags cannot be in that crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from weakpan.basics.arrays import SemanticMap
from weakpan.data.crops import Crop
from weakpan.labels.pixels import table_keeping
from weakpan.labels.rule import TAGS, MapContext, MapRule


@dataclass(frozen=True)
class TagCheck(MapRule):
    """Ignores classes in crops that are not tagged with them."""

    needs = frozenset({TAGS})
    color = (230, 159, 0)

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `drop_untagged`."""
        return drop_untagged(semantic, context.crops, context.annotation.tags)


def drop_untagged(semantic: SemanticMap, crops: Sequence[Crop], tags: Sequence[frozenset[int]]) -> SemanticMap:
    """In every crop, turn pixels of classes (stuff and things) that the crop is not tagged with into 255.

    Where crops overlap, a pixel must pass all of them.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        crops: of the crop grid; pixels outside all crops stay as they are.
        tags: for each crop the train ids that it contains.

    Returns:
        (H, W) uint8, a new map.

    Raises:
        ValueError: the number of crops and of tags differ.
    """
    checked = semantic.copy()
    for crop, tag in zip(crops, tags, strict=True):
        # Into the same pixels: the lookup reads each pixel once, before it writes it.
        cv2.LUT(checked[crop.slices], table_keeping(tag), dst=checked[crop.slices])
    return checked
