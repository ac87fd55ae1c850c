"""Instance maps of pseudo labels as unsigned integers, for files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import InstanceMap
from weakpan.basics.errors import DataError
from weakpan.labels.instances import UNLABELLED


def to_png16(instances: InstanceMap) -> npt.NDArray[np.uint16]:
    """Encode an instance map for a 16-bit PNG; -1 becomes 65535.

    Args:
        instances: (H, W) int32, -1 unlabelled, 0 no instance, 1..65534 instance ids.

    Returns:
        (H, W) uint16.

    Raises:
        DataError: an id that does not fit.
    """
    _check_range(instances, np.iinfo(np.uint16).max - 1, "16-bit PNG")
    # -1 wraps to the largest value.
    return instances.astype(np.uint16)


def from_png16(values: npt.NDArray[np.uint16]) -> InstanceMap:
    """Decode what `to_png16` made: (H, W) uint16 to (H, W) int32."""
    instances: InstanceMap = values.astype(np.int32)
    instances[values == np.iinfo(np.uint16).max] = UNLABELLED
    return instances


def to_released_8bit(instances: InstanceMap) -> npt.NDArray[np.uint8]:
    """Encode an instance map as the authors' released code does: 8 bits, -1 becomes 255.

    Args:
        instances: (H, W) int32, -1 unlabelled, 0 no instance, 1..254 instance ids.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: an id that does not fit.
    """
    _check_range(instances, np.iinfo(np.uint8).max - 1, "8-bit released format")
    return instances.astype(np.uint8)


def _check_range(instances: InstanceMap, largest: int, what: str) -> None:
    low, high = int(instances.min(initial=0)), int(instances.max(initial=0))
    if low < UNLABELLED or high > largest:
        raise DataError(
            f"instance id {high if high > largest else low} does not fit the {what}, which holds {UNLABELLED} to "
            f"{largest}; an image with more instances than that needs another format"
        )
