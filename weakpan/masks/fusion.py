"""Weak evidence on which pixels of a box are its object, fused into log odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import BoolMask, FloatMap
from weakpan.basics.settings import between, setting
from weakpan.masks.colour_model import colour_odds
from weakpan.masks.region import Region, elliptic_radius

# Evidence of colours is blurred by this many pixels of the region: borders are no surer than that.
_BLUR = 1.5
# Boxes that are still narrower are taken for objects that are partly hidden.
_MOST_DOUBLINGS = 1.5
# Probabilities are taken to be at least this far from 0 and 1, so that no term can outweigh all others.
_DOUBT = 0.01


@dataclass
class FusionSettings:
    """Weights of the evidence; terms are added up as log odds that a pixel is the object.

    Attributes:
        ellipse: log odds for a step of 1 in elliptic radius, 0..100.
        narrow: what stands upright fills less of the width of its box: with n doublings from width to height, 1.5 at
            most, the ellipse takes 1 / (1 + narrow n) of the width, 0..2.
        radius: elliptic radius at which the shape of a box is neither for nor against, 0.5..1.42.
        grabcut: log odds of a pixel that GrabCut finds with every core; its negative where it finds it with none,
            0..100.
        core_spread: GrabCut is repeated with a core smaller and larger by this much, 0..0.5; 0 runs it once.
        proposal: log odds of a pixel of the segment proposal; its negative for the others, 0..100.
        colour: factor of the log odds of the pixel's colour, see `weakpan.masks.colour_model`, 0..100.
        gap: log odds taken off in the middle of the lower edge of a box that is at least as wide as high, where ground
            is seen between wheels or feet; it falls to 0 at both sides, `gap_height` further up, and for boxes that are
            twice as high as wide, 0..100. For things that do not stand, give 0.
        gap_height: as a share of the height of the box, 0.01..1.
        threshold: log odds above which a pixel is the object, -20..20.
    """

    ellipse: float = setting(4.2, between(0, 100))
    narrow: float = setting(0.4, between(0, 2))
    radius: float = setting(0.95, between(0.5, 1.42))
    grabcut: float = setting(1.5, between(0, 100))
    core_spread: float = setting(0.2, between(0, 0.5))
    proposal: float = setting(1.0, between(0, 100))
    colour: float = setting(0.6, between(0, 100))
    gap: float = setting(8.0, between(0, 100))
    gap_height: float = setting(0.15, between(0.01, 1))
    threshold: float = setting(-1.75, between(-20, 20))


def fuse(
    shape: tuple[int, int],
    colour: FloatMap | None,
    probability: FloatMap | None,
    weight: float,
    settings: FusionSettings,
    foot_seen: bool = True,
) -> FloatMap:
    """Log odds, up to a constant, that a pixel of a box is its object: a product of experts.

    Args:
        shape: height and width of the box.
        colour: (box height, box width) evidence of colours, see `colour_evidence`; None where there is none.
        probability: of a mask network, (box height, box width), 0..1; None where there is none.
        weight: factor of the network's log odds.
        settings: weights of the rest.
        foot_seen: False if the lower border of the image cuts the object off: then no ground is below it.

    Returns:
        (box height, box width) float32.
    """
    odds = shape_evidence(*shape, settings, foot_seen)
    if colour is not None:
        odds = odds + colour
    if probability is not None:
        odds = odds + weight * log_odds(probability)
    return odds


def shape_evidence(height: int, width: int, settings: FusionSettings, foot_seen: bool = True) -> FloatMap:
    """Log odds that the shape of a box alone gives to its pixels: (height, width) float32.

    Without `foot_seen` the lower border of the image cuts the object off, and no ground is below it.
    """
    doublings = float(np.clip(np.log2(height / width), 0, _MOST_DOUBLINGS))
    radius = elliptic_radius(height, width, 1 / (1 + settings.narrow * doublings))
    odds: FloatMap = (settings.ellipse * (settings.radius - radius)).astype(np.float32)
    if foot_seen and doublings < 1:
        odds = odds - settings.gap * (1 - doublings) * between_feet(height, width, settings.gap_height)
    return odds


def between_feet(height: int, width: int, share: float) -> FloatMap:
    """The ground that shows between the feet or wheels of an object that stands: (height, width) float32.

    A box ends below where feet or wheels end, and what stands needs them apart: between them, and under the body that
    they carry, is ground, in the shadow often as dark as the object, so that colours do not tell. It is 1 in the middle
    of the lower edge, linearly down to 0 at `share` of the height above it, and as 1 - x^2 down to 0 at both sides.
    """
    above = (height - 0.5 - np.arange(height, dtype=np.float32)) / (share * height)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    gap: FloatMap = np.maximum(0, 1 - above)[:, None] * (1 - x**2)[None]
    return gap


def colour_evidence(
    region: Region, grabcut: Sequence[BoolMask], proposal: BoolMask | None, settings: FusionSettings
) -> FloatMap:
    """Log odds that GrabCut, the segment proposal and the colour model of a box give to its pixels.

    Args:
        region: the box with its surroundings.
        grabcut: masks of GrabCut, (h, w) in the region's resolution; at least one.
        proposal: segment proposal, (h, w) in the region's resolution; None if there is none.
        settings: weights.

    Returns:
        (box height, box width) float32.
    """
    found = np.mean(np.stack(grabcut), axis=0, dtype=np.float32)
    odds: FloatMap = np.asarray(settings.grabcut * (2 * found - 1))
    if proposal is not None:
        odds = odds + settings.proposal * (2 * proposal.astype(np.float32) - 1)
    if settings.colour > 0:
        odds = odds + settings.colour * colour_odds(region, settings.ellipse, settings.radius)
    return region.values_to_box(cv2.GaussianBlur(odds, (0, 0), _BLUR).astype(np.float32))


def log_odds(probability: FloatMap) -> FloatMap:
    """Logarithm of p / (1 - p), with p kept away from 0 and 1."""
    p = np.clip(probability, _DOUBT, 1 - _DOUBT)
    odds: FloatMap = np.log(p / (1 - p)).astype(np.float32)
    return odds
