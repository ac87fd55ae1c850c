"""Score maps of the authors' released code: the softmax maximum of each pixel in a MATLAB file, variable `feat`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import FloatMap
from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_file import read_numbers, write_variable
from weakpan.data.formats.mat_values import FLOATS

VARIABLE = "feat"

_ROUNDING = 1e-6
"""How far above 1 a score may be: averages of float32 probabilities end there."""


def read_mat_scores(path: Path, size: tuple[int, int]) -> FloatMap:
    """Scores of one image of a size (height, width): (H, W) float32, 0..1, C-contiguous; the file has single or double.

    Raises:
        DataError: a missing or damaged file, no variable `feat`, another shape or type, a value outside 0..1 or NaN.
    """
    values = _check(f"{path}: {VARIABLE}", read_numbers(path, VARIABLE, FLOATS))
    if values.shape != size:
        raise DataError(
            f"{path}: {VARIABLE} is {_shape(values)}, its image has {size[0]} x {size[1]} (height x width); "
            "write the scores at the size of the image"
        )
    # MATLAB stores columns; OpenCV transposes in blocks, a tenth of the time that NumPy takes.
    by_column = np.ascontiguousarray(values.astype(np.float32, copy=False).T)
    scores: FloatMap = cv2.transpose(by_column).astype(np.float32, copy=False).reshape(size)
    return scores


def write_mat_scores(path: Path, scores: FloatMap) -> None:
    """Write scores of one image, (H, W) float32 or float64, 0..1, for the released code as single, atomically.

    Raises:
        DataError: another number of axes, another type, a value outside 0..1 or NaN.
    """
    write_variable(path, VARIABLE, _check(f"{path}: scores", scores).astype(np.float32, copy=False))


def _check(what: str, values: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
    """Refuse what are no scores; returns them, at most 1."""
    if values.dtype.kind != "f":
        raise DataError(f"{what} is of dtype {values.dtype}; expected float32 or float64")
    if values.ndim != 2 or not values.size:
        raise DataError(f"{what} is {_shape(values)}; expected one score a pixel, height x width")
    low, high = values.min(), values.max()
    if np.isnan(low):  # as soon as there is one anywhere
        raise DataError(f"{what} holds NaN; expected the softmax maximum, 0 to 1")
    if low < 0 or high > 1 + _ROUNDING:
        raise DataError(f"{what} holds values from {low:g} to {high:g}; expected the softmax maximum, 0 to 1")
    return np.minimum(values, 1) if high > 1 else values


def _shape(values: npt.NDArray[np.number]) -> str:
    return " x ".join(map(str, values.shape))
