"""A figure-ground mask in one box from colour alone: GrabCut with a seed in the middle of the box."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import BoolMask
from weakpan.basics.settings import between, setting
from weakpan.masks.region import Region, elliptic_radius

# Fewer sure background pixels than this cannot train a colour model of five Gaussians.
_LEAST_BACKGROUND = 16


@dataclass
class GrabCutSettings:
    """Seeds of GrabCut. Radii are elliptic: 1 is the ellipse inscribed in the box, 1.42 its corners.

    Attributes:
        core: radius of the sure foreground, 0..1; below `corner`.
        corner: radius beyond which the box is sure background, 1..1.42.
        iterations: of model fitting and graph cut, 1..20.
    """

    core: float = setting(0.65, between(0, 1))
    corner: float = setting(1.2, between(1, 1.42))
    iterations: int = setting(1, between(1, 20))

    def cores(self, spread: float) -> tuple[float, ...]:
        """Cores that GrabCut is run with: `core` itself, and where `spread` is above 0 one smaller and one larger."""
        if spread == 0:
            return (self.core,)
        # OpenCV cannot do without sure foreground, nor we without anything between it and the sure background.
        larger = min(self.core + spread, (self.core + self.corner) / 2)
        return self.core, max(0.0, self.core - spread), larger


def grabcut_mask(region: Region, core: float, corner: float, iterations: int) -> BoolMask:
    """Separate the object of a box from its surroundings with GrabCut (Rother, Kolmogorov and Blake, 2004).

    Everything outside the box is sure background. Started from the box alone GrabCut tends to call everything
    background, because what lies beside the box also lies in it; sure foreground in the middle of the box prevents it.
    The random generator of OpenCV is seeded, so that equal input gives equal masks.

    Args:
        region: the box with its surroundings.
        core: pixels up to this elliptic radius are sure foreground, 0..1 (1 is the inscribed ellipse).
        corner: pixels beyond this elliptic radius are sure background, above `core`; 1.42 leaves no corner out.
        iterations: of model fitting and graph cut, at least 1.

    Returns:
        (h, w) in the region's resolution, False outside the box. Where there is next to no background to learn from
        (a box that fills a tiny image) the pixels that are not sure background.
    """
    radius = elliptic_radius(*region.inner_shape)
    inner = np.full(region.inner_shape, cv2.GC_PR_FGD, np.uint8)
    inner[radius > corner] = cv2.GC_BGD
    # The innermost pixel is always seeded: without any foreground OpenCV raises.
    inner[radius <= max(core, float(radius.min()))] = cv2.GC_FGD
    labels = np.full(region.shape, cv2.GC_BGD, np.uint8)
    labels[region.rows, region.cols] = inner
    if np.count_nonzero(labels == cv2.GC_BGD) >= _LEAST_BACKGROUND:
        background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
        unused = (0, 0, 1, 1)  # the rectangle; the labels take its place
        cv2.setRNGSeed(0)
        cv2.grabCut(region.pixels, labels, unused, background, foreground, iterations, cv2.GC_INIT_WITH_MASK)
    mask: BoolMask = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask
