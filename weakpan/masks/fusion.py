"""A soft vote of weak voices on which pixels of a box are its object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import BoolMask, FloatMap
from weakpan.basics.errors import ConfigError
from weakpan.masks.colour_model import palette_odds
from weakpan.masks.region import Region, elliptic_radius

# What colours say is blurred by this many pixels of the region: borders are no surer than that.
_BLUR = 1.5
# Boxes that are still narrower are taken for objects that are partly hidden.
_MOST_DOUBLINGS = 1.5
# Probabilities are taken to be at least this far from 0 and 1, so that no voice can silence the others.
_DOUBT = 0.01


@dataclass
class VoteSettings:
    """Weights of the voices; what they say is added up as log odds that a pixel is the object.

    Attributes:
        ellipse: log odds for a step of 1 in elliptic radius, 0..100.
        narrow: what stands upright fills less of the width of its box: with n doublings from width to height, 1.5 at
            most, the ellipse takes 1 / (1 + narrow n) of the width, 0..2.
        radius: elliptic radius at which the shape of a box is neither for nor against, 0.5..1.42.
        grabcut: log odds of a pixel that GrabCut finds with every core; its negative where it finds it with none,
            0..100.
        proposal: the same for the segment proposal, 0..100.
        colour: factor of the log odds of the pixel's colour, see `weakpan.masks.colour_model`, 0..100.
        network: factor of the log odds of the mask network, where there is one, 0..100.
        gap: log odds taken off in the middle of the lower edge of a box that is at least as wide as high, where ground
            is seen between wheels or feet; it falls to 0 at both sides, `gap_height` further up, and for boxes that are
            twice as high as wide, 0..100. For things that do not stand, give 0.
        gap_height: as a share of the height of the box, 0.01..1.
        threshold: log odds above which a pixel is the object, -20..20.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    ellipse: float = 4.2
    narrow: float = 0.4
    radius: float = 0.95
    grabcut: float = 1.5
    proposal: float = 1.0
    colour: float = 0.6
    network: float = 1.0
    gap: float = 8.0
    gap_height: float = 0.15
    threshold: float = -1.75

    def __post_init__(self) -> None:
        """Check the ranges."""
        ranges = {"narrow": (0.0, 2.0), "radius": (0.5, 1.42), "gap_height": (0.01, 1.0), "threshold": (-20.0, 20.0)}
        for name, value in vars(self).items():
            low, high = ranges.get(name, (0.0, 100.0))
            if not low <= value <= high:
                raise ConfigError(f"masks.dials.vote.{name}={value}: expected {low} to {high}")


def vote(
    shape: tuple[int, int],
    said: FloatMap | None,
    probability: FloatMap | None,
    settings: VoteSettings,
    foot_seen: bool = True,
) -> FloatMap:
    """Log odds, up to a constant, that a pixel of a box is its object: a product of experts.

    Args:
        shape: height and width of the box.
        said: (box height, box width), what colours say, see `said_by_colour`; None if they were not asked.
        probability: of the mask network, (box height, box width), 0..1; None where there is none.
        settings: weights.
        foot_seen: False if the lower border of the image cuts the object off: then no ground is below it.

    Returns:
        (box height, box width) float32.
    """
    odds = said_by_shape(*shape, settings, foot_seen)
    if said is not None:
        odds = odds + said
    if probability is not None:
        odds = odds + settings.network * log_odds(probability)
    return odds


def said_by_shape(height: int, width: int, settings: VoteSettings, foot_seen: bool = True) -> FloatMap:
    """Log odds that the shape of a box alone gives to its pixels.

    Args:
        height: of the box, pixels.
        width: of the box, pixels.
        settings: weights.
        foot_seen: False if the lower border of the image cuts the object off: then no ground is below it.

    Returns:
        (height, width) float32.
    """
    doublings = float(np.clip(np.log2(height / width), 0, _MOST_DOUBLINGS))
    radius = elliptic_radius(height, width, 1 / (1 + settings.narrow * doublings))
    odds: FloatMap = (settings.ellipse * (settings.radius - radius)).astype(np.float32)
    if foot_seen and doublings < 1:
        odds = odds - settings.gap * (1 - doublings) * between_feet(height, width, settings.gap_height)
    return odds


def between_feet(height: int, width: int, share: float) -> FloatMap:
    """How much a pixel of a box lies where an object that stands leaves ground to be seen.

    A box ends below where feet or wheels end, and what stands needs them apart: between them, and under the body that
    they carry, is ground, in the shadow often as dark as the object, so that colours do not tell.

    Args:
        height: of the box, pixels.
        width: of the box, pixels.
        share: of the height, up to where ground is seen.

    Returns:
        (height, width) float32: 1 in the middle of the lower edge, linearly down to 0 at `share` of the height above
        it, and as 1 - x^2 down to 0 at both sides.
    """
    above = (height - 0.5 - np.arange(height, dtype=np.float32)) / (share * height)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    gap: FloatMap = np.maximum(0, 1 - above)[:, None] * (1 - x**2)[None]
    return gap


def said_by_colour(region: Region, grabcut: Sequence[BoolMask], proposal: BoolMask, settings: VoteSettings) -> FloatMap:
    """Log odds that GrabCut, the segment proposal and the palette of a box give to its pixels.

    Args:
        region: the box with its surroundings.
        grabcut: masks of GrabCut, (h, w) in the region's resolution; at least one.
        proposal: segment proposal, (h, w) in the region's resolution.
        settings: weights.

    Returns:
        (box height, box width) float32.
    """
    found = np.mean(np.stack(grabcut), axis=0, dtype=np.float32)
    said = settings.grabcut * (2 * found - 1) + settings.proposal * (2 * proposal.astype(np.float32) - 1)
    if settings.colour > 0:
        said = said + settings.colour * palette_odds(region, settings.ellipse, settings.radius)
    return region.values_to_box(cv2.GaussianBlur(said, (0, 0), _BLUR).astype(np.float32))


def log_odds(probability: FloatMap) -> FloatMap:
    """Logarithm of p / (1 - p), with p kept away from 0 and 1."""
    p = np.clip(probability, _DOUBT, 1 - _DOUBT)
    odds: FloatMap = np.log(p / (1 - p)).astype(np.float32)
    return odds
