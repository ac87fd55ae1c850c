"""Contour maps that segments are cut along: colour steps, or whatever another class finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.errors import ConfigError

# A colour step of this many Lab units per pixel counts as a contour of strength tanh(1), about 0.76.
_STEP = 12.0
_SIGMAS = (1.5, 3.0, 6.0)


class Contours(ABC):
    """Something that finds contours, named by `_target_` in `masks.contours`.

    Objects travel to worker processes inside their mask source: they can be pickled, and best read weights when they
    are called first. Segments grow from the minima of the map, which touch across corners too: lines of a single pixel
    leak, lines of two or more and gentle slopes do not.
    """

    @property
    def supervision(self) -> str:
        """What they know about boundaries, in words, for reports."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"with contours of {name} and whatever boundaries it has learned from"

    @abstractmethod
    def __call__(self, pixels: RGBImage, /) -> FloatMap:
        """Contour strength of (h, w, 3) uint8 RGB: (h, w), 0 (none) to 1 (strong); the same for equal input."""

    def check_files(self) -> None:  # noqa: B027
        """Look whether what is read is there; raises ConfigError, naming the field, where it is not."""

    def contents(self) -> dict[str, str]:
        """Checksums, by field, of files that may change while their paths stay."""
        return {}


@dataclass(frozen=True)
class LabContours(Contours):
    """Steps of colour alone."""

    @property
    def supervision(self) -> str:
        """They have learned nothing."""
        return "without learned boundaries"

    def __call__(self, pixels: RGBImage) -> FloatMap:
        """As `contour_strength`."""
        return contour_strength(pixels)


def contour_strength(pixels: RGBImage) -> FloatMap:
    """Sharpness of the change of colour at each pixel of (h, w, 3) RGB: (h, w), 0 (flat) to 1 (strong contour).

    It is the mean over three scales of the squashed gradient in Lab.
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


def checked_contours(contours: Contours, pixels: RGBImage) -> FloatMap:
    """The contour map of some pixels; raises ConfigError for what is none of these pixels."""
    values = contours(pixels)
    if not isinstance(values, np.ndarray) or values.shape != pixels.shape[:2] or values.dtype.kind != "f":
        found = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
        wrong = f"gave {found} for pixels {pixels.shape}; expected an array of floats, {pixels.shape[:2]}"
    elif not (values.min() >= 0 and values.max() <= 1):  # as is a NaN
        wrong = f"gave values from {values.min():g} to {values.max():g}; expected 0 to 1"
    else:
        return np.ascontiguousarray(values, np.float32)
    raise ConfigError(wrong, key="contours", found=type(contours).__qualname__)
