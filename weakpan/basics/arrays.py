"""Type names for the arrays that travel between rooms; axis order is always H, W (and a last axis of channels)."""

from __future__ import annotations

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
