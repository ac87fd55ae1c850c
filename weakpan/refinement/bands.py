"""Work on a stack of maps a few rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

_VALUES_AT_ONCE = 2**19
"""Values of a band. Intermediate results of so many stay in the cache of a core and need no fresh memory, which at full
size takes longer to get than most steps take to compute."""


def row_bands(stack: Tensor) -> list[slice]:
    """Slices of rows that cover a stack from top to bottom; one of everything where it does not lie on a CPU.

    Args:
        stack: (C, H, W), not empty.
    """
    classes, height, width = stack.shape
    rows = max(1, _VALUES_AT_ONCE // (classes * width)) if stack.device.type == "cpu" else height
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def share_among(allowed: Tensor, probabilities: Tensor) -> Tensor:
    """Take out what a pixel cannot have and let the rest of its probabilities sum to 1, in place.

    Args:
        allowed: (C, H, W) bool.
        probabilities: (C, H, W) float32, 0..1; the classes of a pixel that has none of those allowed become 0.

    Returns:
        (1, H, W) float32, what those allowed summed to.
    """
    # Bytes become numbers in a third of the time that truth values take.
    probabilities.mul_(allowed.view(torch.uint8).to(probabilities.dtype))
    total = probabilities.sum(dim=0, keepdim=True)
    probabilities.div_(total.clamp_min(1e-12))
    return total
