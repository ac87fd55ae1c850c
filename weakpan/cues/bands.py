"""Work on a stack of maps a few rows at a time."""

from __future__ import annotations

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
