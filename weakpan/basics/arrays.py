"""The arrays that travel between rooms; axis order is always H, W (and a last axis of channels)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SemanticMap = npt.NDArray[np.uint8]
"""(H, W) train ids, 255 where ignored."""

InstanceMap = npt.NDArray[np.int32]
"""(H, W) instance numbers of one image: 0 no instance, k >= 1 the k-th; 255 has no special meaning unless said so."""

RGBImage = npt.NDArray[np.uint8]
"""(H, W, 3) in RGB order, 0..255."""

BoolMask = npt.NDArray[np.bool_]
"""(H, W)."""

FloatMap = npt.NDArray[np.float32]
"""(H, W) scores, usually 0..1."""

IGNORE = 255
"""The value of a pixel without a label in semantic maps."""

NO_THING = 254
"""The value of a pixel outside all boxes in maps of masks in boxes; not 0, which is the train id of a class."""


def runs_of(*maps: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where the runs of equal pixels in flattened (H, W) maps start, and how long they are: twice (N,).

    Every row starts one. A street scene of two million pixels has some ten thousand runs, and what is done for each
    costs next to nothing.
    """
    is_start = np.zeros(maps[0].size, np.bool_)
    is_start[:: maps[0].shape[1]] = True
    for values in maps:
        flat = values.ravel()
        is_start[1:] |= flat[1:] != flat[:-1]
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=is_start.size)
