"""The mask of a box for want of a better one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weakpan.basics.arrays import BoolMask
from weakpan.basics.settings import between, one_of, setting
from weakpan.masks.region import elliptic_radius


@dataclass
class FallbackSettings:
    """When a box takes a plain shape for its mask, and which.

    Attributes:
        min_cover: boxes whose mask covers less than this share of them take the fallback, 0..1.
        shape: "ellipse" for an inscribed ellipse, "none" to leave the box undecided.
        radius: of that ellipse, 0.1..1.42; 1 touches the sides of the box, 1.42 its corners.
    """

    min_cover: float = setting(0.2, between(0, 1))
    shape: str = setting("ellipse", one_of(("ellipse", "none")))
    radius: float = setting(1.0, between(0.1, 1.42))


def fallback_mask(height: int, width: int, settings: FallbackSettings) -> BoolMask:
    """(height, width) of a box: the mask that it takes for want of one; all False for the shape "none"."""
    if settings.shape == "none":
        return np.zeros((height, width), np.bool_)
    radius = elliptic_radius(height, width)
    # In a box of a few pixels no centre may lie inside the ellipse; the innermost pixels are always taken.
    mask: BoolMask = radius <= max(settings.radius, float(radius.min()))
    return mask
