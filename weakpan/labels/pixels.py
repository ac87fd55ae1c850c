"""Fast pieces that the label rules share: everything is one pass over the pixels, without fancy indexing."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, BoolMask, SemanticMap

ByteTable = npt.NDArray[np.uint8]
"""(256,) new value of every value of a semantic map."""


def translate(semantic: SemanticMap, table: ByteTable) -> npt.NDArray[np.uint8]:
    """`table[semantic]`; cv2's lookup takes a fifth of the time of NumPy's fancy indexing.

    Args:
        semantic: (H, W) uint8.
        table: (256,) uint8.

    Returns:
        (H, W) uint8.
    """
    return cv2.LUT(semantic, table).astype(np.uint8, copy=False)


def ignored_where(semantic: SemanticMap, where: BoolMask) -> SemanticMap:
    """A copy of a semantic map that is 255 wherever `where` is True; both are (H, W)."""
    # 0 - True wraps to 255 in 8 bits, and a bitwise or needs no branch per pixel.
    return semantic | np.negative(where.view(np.uint8))


def table_keeping(class_ids: Iterable[int]) -> ByteTable:
    """(256,) table that leaves these train ids as they are and turns every other value into 255."""
    table = np.full(256, IGNORE, np.uint8)
    kept = list(class_ids)
    table[kept] = kept
    return table


def table_dropping(is_dropped: npt.NDArray[np.bool_]) -> ByteTable:
    """(256,) table that turns the values marked True in `is_dropped`, (256,), into 255 and leaves the others."""
    return np.where(is_dropped, IGNORE, np.arange(256)).astype(np.uint8)


def table_marking(is_marked: npt.NDArray[np.bool_]) -> ByteTable:
    """(256,) table of 1 for the values marked True in `is_marked`, (256,), and 0 for the others."""
    return is_marked.astype(np.uint8)
