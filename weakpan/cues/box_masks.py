"""Masks in boxes: for each box the pixels on which GrabCut and a segment proposal agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from weakpan.arrays import BoolMask, RGBImage, SemanticMap
from weakpan.cues.consensus import Overlap, mask_iou, paint_masks
from weakpan.cues.grabcut import grabcut_mask
from weakpan.cues.proposals import Rule, ShapeWeights, proposal_mask
from weakpan.cues.region import crop_region, elliptic_radius
from weakpan.data.annotations import Box, BoxKind
from weakpan.errors import ConfigError, DataError

_RANGES = {
    "crop_side": (32, 1024),
    "margin": (0.05, 2.0),
    "core": (0.0, 1.0),
    "corner": (1.0, 1.42),
    "iterations": (1, 20),
    "box_weight": (0.0, 100.0),
    "contour_weight": (0.0, 100.0),
    "prior_weight": (0.0, 100.0),
    "prior_radius": (0.5, 1.42),
    "min_box": (0, 1024),
    "min_cover": (0.0, 1.0),
    "fallback_radius": (0.1, 1.42),
}
_CHOICES = {"rule": tuple(Rule), "fallback": ("ellipse", "none"), "overlap": tuple(Overlap)}


@dataclass
class MaskSettings:
    """The dials of masks in boxes. Radii are elliptic: 1 is the ellipse inscribed in the box, 1.42 its corners.

    Attributes:
        crop_side: working size: longest side of a box with its surroundings after resizing, pixels, 32..1024.
        margin: surroundings on each side, as a fraction of the box, 0.05..2.
        core: radius of GrabCut's sure foreground, 0..1.
        corner: radius beyond which the box is sure background for GrabCut, 1..1.42.
        iterations: of GrabCut, 1..20.
        rule: how a proposal is chosen: "published" by the IoU of its bounding box with the box; "ours" by contours
            and shape too.
        box_weight: of the bounding box IoU in the rule "ours", 0..100.
        contour_weight: of the mean contour strength along the border, 0..100.
        prior_weight: of the agreement with a blurred ellipse, 0..100.
        prior_radius: of that ellipse, 0.5..1.42.
        min_box: boxes with a side shorter than this many pixels take the fallback, 0..1024.
        min_cover: boxes whose consensus covers less than this share of them take the fallback, 0..1.
        fallback: "ellipse" for an inscribed ellipse, "none" to leave the box undecided.
        fallback_radius: of that ellipse, 0.1..1.42.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    crop_side: int = 128
    margin: float = 0.35
    core: float = 0.65
    corner: float = 1.2
    iterations: int = 1
    rule: str = "ours"
    box_weight: float = 1.0
    contour_weight: float = 1.2
    prior_weight: float = 3.0
    prior_radius: float = 0.95
    min_box: int = 8
    min_cover: float = 0.2
    fallback: str = "ellipse"
    fallback_radius: float = 0.9
    overlap: str = "small"

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"masks.dials.{name}={value}: expected {low} to {high}")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(f"masks.dials.{name}={value!r}: choose one of {', '.join(choices)}")
        if self.core >= self.corner:
            raise ConfigError(f"masks.dials.core={self.core} has to be below masks.dials.corner={self.corner}")


class Fallback(StrEnum):
    """Why a box did not get the consensus of its two masks, or none from a file."""

    NOT_NEEDED = "not needed"
    SMALL_BOX = "small box"
    NO_CONSENSUS = "no consensus"
    NO_MASK = "no mask in the file"


@dataclass(frozen=True)
class BoxRecord:
    """What became of one instance box.

    Attributes:
        index: position of the box in the list that was given.
        class_id: train id.
        grabcut_area: pixels of the GrabCut mask in the box; 0 if it was not computed.
        proposal_area: pixels of the proposal in the box; 0 if it was not computed.
        agreement: IoU of those two, 0..1.
        cover: share of the box that its final mask fills, 0..1, before other boxes are painted over it; 0 means that
            the box has no mask.
        fallback: the reason if a fallback was used.
    """

    index: int
    class_id: int
    grabcut_area: int
    proposal_area: int
    agreement: float
    cover: float
    fallback: Fallback


@dataclass(frozen=True)
class BoxMaskResult:
    """Masks in the boxes of one image.

    Attributes:
        semantic: (H, W) uint8: train id of a thing, 255 undecided inside a box, NO_THING outside all boxes.
        records: one for each instance box, in the order of the boxes.
    """

    semantic: SemanticMap
    records: tuple[BoxRecord, ...]


def masks_in_boxes(image: RGBImage, boxes: Sequence[Box], settings: MaskSettings) -> BoxMaskResult:
    """Find the pixels of the things in an image from their boxes (Li, Arnab and Torr, 2018).

    Args:
        image: (H, W, 3) RGB, 0..255.
        boxes: of the image. Only instance boxes get masks; group boxes are undecided, boxes of stuff are passed over.
        settings: the dials.

    Raises:
        DataError: a box that does not lie in the image.
    """
    height, width = image.shape[:2]
    masks: dict[int, BoolMask] = {}
    records = []
    for index, box in enumerate(boxes):
        if not (0 <= box.xmin <= box.xmax < width and 0 <= box.ymin <= box.ymax < height):
            raise DataError(
                f"box {index} ({box.xmin}, {box.ymin}, {box.xmax}, {box.ymax}) is empty or outside its {width} x "
                f"{height} image; check that image and annotation belong together"
            )
        if box.kind is BoxKind.INSTANCE:
            mask, record = _mask_in_box(image, index, box, settings)
            records.append(record)
            if record.cover > 0:
                masks[index] = mask
    semantic = paint_masks((height, width), boxes, masks, Overlap(settings.overlap))
    return BoxMaskResult(semantic, tuple(records))


def _mask_in_box(image: RGBImage, index: int, box: Box, settings: MaskSettings) -> tuple[BoolMask, BoxRecord]:
    height, width = box.ymax - box.ymin + 1, box.xmax - box.xmin + 1
    if min(height, width) < settings.min_box:
        reason = Fallback.SMALL_BOX
        grabcut = proposal = mask = np.zeros((height, width), np.bool_)
    else:
        region = crop_region(image, box, settings.crop_side, settings.margin)
        grabcut = region.to_box(grabcut_mask(region, settings.core, settings.corner, settings.iterations))
        weights = ShapeWeights(
            settings.box_weight, settings.contour_weight, settings.prior_weight, settings.prior_radius
        )
        proposal = region.to_box(proposal_mask(region, Rule(settings.rule), weights))
        mask = grabcut & proposal
        reason = Fallback.NO_CONSENSUS if mask.mean() < settings.min_cover else Fallback.NOT_NEEDED
    if reason is not Fallback.NOT_NEEDED:
        mask = _fallback_mask(height, width, settings)
    record = BoxRecord(
        index=index,
        class_id=box.class_id,
        grabcut_area=int(grabcut.sum()),
        proposal_area=int(proposal.sum()),
        agreement=mask_iou(grabcut, proposal),
        cover=float(mask.mean()),
        fallback=reason,
    )
    return mask, record


def _fallback_mask(height: int, width: int, settings: MaskSettings) -> BoolMask:
    if settings.fallback == "none":
        return np.zeros((height, width), np.bool_)
    radius = elliptic_radius(height, width)
    # In a box of a few pixels no centre may lie inside the ellipse; the innermost pixels are always taken.
    mask: BoolMask = radius <= max(settings.fallback_radius, float(radius.min()))
    return mask
