"""Contour maps that segments are cut along: colour steps, or whatever a class of the user's finds."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.errors import ConfigError

LAB = "lab"
"""Name of the built-in contours, `contour_strength`."""

_KEY = "masks.dials.contours"
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")

# A colour step of this many Lab units per pixel counts as a contour of strength tanh(1), about 0.76.
_STEP = 12.0
_SIGMAS = (1.5, 3.0, 6.0)


class Contours(Protocol):
    """Something that finds contours.

    A class for `masks.dials.contours` is made without arguments, or with the path of `masks.dials.contours_file`, once
    in every process; only its name travels to worker processes. Segments grow from the minima of the map, which touch
    across corners too: lines of a single pixel leak, lines of two or more and gentle slopes do not.
    """

    def __call__(self, pixels: RGBImage, /) -> FloatMap:
        """Contour strength of (h, w, 3) uint8 RGB: (h, w), 0 (none) to 1 (strong); the same for equal input."""
        ...


def contour_strength(pixels: RGBImage) -> FloatMap:
    """How sharply the colour changes at each pixel: mean over three scales of the squashed gradient in Lab.

    Args:
        pixels: (h, w, 3) RGB.

    Returns:
        (h, w), 0 (flat) to 1 (strong contour).
    """
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    total = np.zeros(pixels.shape[:2], np.float32)
    for sigma in _SIGMAS:
        smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
        dx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
        dy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
        total += np.tanh(np.sqrt((dx * dx + dy * dy).sum(axis=-1)) / _STEP)
    mean: FloatMap = (total / len(_SIGMAS)).astype(np.float32)
    return mean


def check_contours(name: str, file: str | None) -> None:
    """Refuse what can be neither the built-in contours nor a class; nothing is imported.

    Raises:
        ConfigError: a name that is neither, or a file for the built-in contours, which need none.
    """
    if name != LAB and _DOTTED.fullmatch(name) is None:
        raise ConfigError(f"{_KEY}={name!r}: expected {LAB}, or a class of yours as package.module.Class")
    if name == LAB and file is not None:
        raise ConfigError(f"{_KEY}_file={file} with {_KEY}={LAB}: a file belongs to a class of yours; leave it out")


@lru_cache(maxsize=4)
def load_contours(name: str, file: str | None = None) -> Contours:
    """The contours that a configuration names; made once in a process.

    Args:
        name: `lab`, or a class as package.module.Class.
        file: that the class is given as a `Path`, its weights for instance; None to give it nothing.

    Raises:
        ConfigError: a name, module, class or file that is not there, a module that cannot be imported, a class that
            cannot be made, or whose objects cannot be called.
    """
    check_contours(name, file)
    if name == LAB:
        return contour_strength
    if file is not None and not Path(file).is_file():
        raise ConfigError(f"{_KEY}_file={file}: no such file; {name} is to be made with it")
    found = _find(name)
    arguments = () if file is None else (Path(file),)
    try:
        made = found(*arguments)
    except Exception as error:
        given = f"Path({file!r})" if file is not None else ""
        raise ConfigError(
            f"{_KEY}={name}: {name.rpartition('.')[2]}({given}) failed ({type(error).__name__}: {error}); expected a "
            f"class that takes {f'the path of {_KEY}_file' if given else 'no arguments'}"
        ) from error
    if not callable(made):
        raise ConfigError(f"{_KEY}={name}: its objects cannot be called; expected __call__(pixels) -> contour strength")
    return _Checked(name, made)


def _find(name: str) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # whatever a module does while it is imported
        raise ConfigError(
            f"{_KEY}={name}: module {module} cannot be imported ({type(error).__name__}: {error}); install it, or put "
            "its folder on PYTHONPATH"
        ) from error
    if not isinstance(found, type):
        what = "nothing" if found is None else f"an object of {type(found).__name__}"
        raise ConfigError(f"{_KEY}={name}: found {what} called {attribute} in {module}; expected a class")
    return found


class _Checked:
    """Contours of a class of the user's, whose results are looked at before they are used.

    Args:
        name: of the class, for errors.
        contours: its object.
    """

    def __init__(self, name: str, contours: Contours) -> None:
        self.name, self.contours = name, contours

    def __call__(self, pixels: RGBImage, /) -> FloatMap:
        """As `Contours`; raises ConfigError for what is no contour map of these pixels."""
        values = self.contours(pixels)
        if not isinstance(values, np.ndarray) or values.shape != pixels.shape[:2] or values.dtype.kind != "f":
            found = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
            raise ConfigError(
                f"{_KEY}={self.name}: gave {found} for pixels {pixels.shape}; expected an array of floats, "
                f"{pixels.shape[:2]}"
            )
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # as is a NaN
            raise ConfigError(f"{_KEY}={self.name}: gave values from {low:g} to {high:g}; expected 0 to 1")
        return np.ascontiguousarray(values, np.float32)
