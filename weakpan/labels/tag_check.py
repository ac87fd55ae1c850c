"""Label rule: a class that is not among a tile's tags cannot be in that tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from weakpan.basics.arrays import SemanticMap
from weakpan.data.crops import Tile
from weakpan.labels.pixels import table_keeping
from weakpan.labels.rule import TAGS, MapContext, MapRule


@dataclass(frozen=True)
class TagCheck(MapRule):
    """Ignores classes in crops that are not tagged with them."""

    needs = frozenset({TAGS})
    color = (230, 159, 0)

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `drop_untagged`."""
        return drop_untagged(semantic, context.tiles, context.annotation.tags)


def drop_untagged(semantic: SemanticMap, tiles: Sequence[Tile], tags: Sequence[frozenset[int]]) -> SemanticMap:
    """In every tile, turn pixels of classes (stuff and things) that the tile is not tagged with into 255.

    Where tiles overlap, a pixel must pass all of them.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        tiles: of the crop grid; pixels outside all tiles stay as they are.
        tags: for each tile the train ids that it contains.

    Returns:
        (H, W) uint8, a new map.

    Raises:
        ValueError: the number of tiles and of tags differ.
    """
    checked = semantic.copy()
    for tile, tag in zip(tiles, tags, strict=True):
        # Into the same pixels: the lookup reads each pixel once, before it writes it.
        cv2.LUT(checked[tile.slices], table_keeping(tag), dst=checked[tile.slices])
    return checked
