"""Masks in boxes: what GrabCut, a segment proposal, the shape of a box and perhaps a network say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from weakpan.basics.arrays import BoolMask, FloatMap, RGBImage, SemanticMap
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.masks.contours import LAB, check_contours, load_contours
from weakpan.masks.fusion import VoteSettings, said_by_colour, vote
from weakpan.masks.grabcut import grabcut_mask
from weakpan.masks.painting import Overlap, mask_iou, paint_masks
from weakpan.masks.proposals import MergedSegments, Proposer, Rule, ShapeWeights
from weakpan.masks.region import crop_region, elliptic_radius

_RANGES = {
    "crop_side": (32, 1024),
    "margin": (0.05, 2.0),
    "core": (0.0, 1.0),
    "core_spread": (0.0, 0.5),
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


class Combine(StrEnum):
    """How the voices become one mask."""

    VOTE = "vote"
    BOTH = "both"


_CHOICES = {
    "combine": tuple(Combine),
    "rule": tuple(Rule),
    "fallback": ("ellipse", "none"),
    "overlap": tuple(Overlap),
}


@dataclass
class MaskSettings:
    """The dials of masks in boxes. Radii are elliptic: 1 is the ellipse inscribed in the box, 1.42 its corners.

    Attributes:
        combine: "vote" adds up what all voices say, see `VoteSettings`; "both" keeps what GrabCut and the proposal
            agree on, as published.
        crop_side: working size: longest side of a box with its surroundings after resizing, pixels, 32..1024.
        margin: surroundings on each side, as a fraction of the box, 0.05..2.
        core: radius of GrabCut's sure foreground, 0..1.
        core_spread: for a vote GrabCut is repeated with a core smaller and larger by this much, 0..0.5; 0 runs it once.
        corner: radius beyond which the box is sure background for GrabCut, 1..1.42.
        iterations: of GrabCut, 1..20.
        contours: what our own proposals are cut along: "lab" for steps of colour, or a class of yours as
            package.module.Class, see `weakpan.masks.contours.Contours`.
        contours_file: path that this class is given, its weights for instance; null to give it nothing.
        rule: how a proposal is chosen: "published" by the IoU of its bounding box with the box; "ours" by contours
            and shape too.
        box_weight: of the bounding box IoU in the rule "ours", 0..100.
        contour_weight: of the mean contour strength along the border, 0..100.
        prior_weight: of the agreement with a blurred ellipse, 0..100.
        prior_radius: of that ellipse, 0.5..1.42.
        min_box: boxes with a side shorter than this many pixels are too small for GrabCut and proposals, 0..1024; they
            take the fallback, or are left to the network where there is one.
        min_cover: boxes whose consensus, or mask of a model, covers less than this share of them take the fallback,
            0..1.
        fallback: "ellipse" for an inscribed ellipse, "none" to leave the box undecided.
        fallback_radius: of that ellipse, 0.1..1.42.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.
        vote: weights of the voices.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    combine: str = "vote"
    crop_side: int = 128
    margin: float = 0.35
    core: float = 0.65
    core_spread: float = 0.2
    corner: float = 1.2
    iterations: int = 1
    contours: str = LAB
    contours_file: str | None = None
    rule: str = "ours"
    box_weight: float = 1.0
    contour_weight: float = 1.2
    prior_weight: float = 1.5
    prior_radius: float = 1.05
    min_box: int = 4
    min_cover: float = 0.2
    fallback: str = "ellipse"
    fallback_radius: float = 1.0
    overlap: str = "small"
    vote: VoteSettings = field(default_factory=VoteSettings)

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
        check_contours(self.contours, self.contours_file)
        if self.core >= self.corner:
            raise ConfigError(f"masks.dials.core={self.core} has to be below masks.dials.corner={self.corner}")

    @property
    def proposer(self) -> MergedSegments:
        """Our own segment proposals with these dials; raises ConfigError for contours that cannot be made."""
        weights = ShapeWeights(self.box_weight, self.contour_weight, self.prior_weight, self.prior_radius)
        return MergedSegments(Rule(self.rule), weights, load_contours(self.contours, self.contours_file))

    @property
    def cores(self) -> tuple[float, ...]:
        """Cores that GrabCut is run with; the first is `core` itself."""
        if self.combine == Combine.BOTH or self.core_spread == 0:
            return (self.core,)
        # OpenCV cannot do without sure foreground, nor we without anything between it and the sure background.
        larger = min(self.core + self.core_spread, (self.core + self.corner) / 2)
        return self.core, max(0.0, self.core - self.core_spread), larger


class Fallback(StrEnum):
    """Why a box did not get the consensus of its masks, the mask that a model found, or none from a file."""

    NOT_NEEDED = "not needed"
    SMALL_BOX = "small box"
    NO_CONSENSUS = "no consensus"
    SMALL_MASK = "small mask"
    NO_MASK = "no mask in the file"


@dataclass(frozen=True)
class BoxRecord:
    """What became of one instance box.

    Attributes:
        index: position of the box in the list that was given.
        class_id: train id.
        grabcut_area: pixels of the GrabCut mask in the box; 0 if it was not computed.
        proposal_area: pixels of the proposal in the box; 0 if it was not computed, or there is none.
        agreement: IoU of those two, 0..1.
        network_area: pixels of the box that the mask network or model gives at least one half; 0 if there is none.
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
    network_area: int = 0


@dataclass(frozen=True)
class BoxMaskResult:
    """Masks in the boxes of one image.

    Attributes:
        semantic: (H, W) uint8: train id of a thing, 255 undecided inside a box, NO_THING outside all boxes.
        records: one for each instance box, in the order of the boxes.
    """

    semantic: SemanticMap
    records: tuple[BoxRecord, ...]


def masks_in_boxes(
    image: RGBImage,
    boxes: Sequence[Box],
    settings: MaskSettings,
    probabilities: Mapping[int, FloatMap] | None = None,
    proposer: Proposer | None = None,
) -> BoxMaskResult:
    """Find the pixels of the things in an image from their boxes.

    Args:
        image: (H, W, 3) RGB, 0..255.
        boxes: of the image. Only instance boxes get masks; group boxes are undecided, boxes of stuff are passed over.
        settings: the dials.
        probabilities: by position in `boxes`, (box height, box width), what a mask network gives to each pixel, 0..1;
            it counts in a vote only.
        proposer: of segments; None for our own. A box that it has none for is voted on by the others; where two
            masks have to agree, there is no consensus in it.

    Raises:
        DataError: a box that does not lie in the image.
        ConfigError: contours that cannot be made, or that give no contour map.
    """
    height, width = image.shape[:2]
    proposer = proposer or settings.proposer
    masks: dict[int, BoolMask] = {}
    records = []
    for index, box in enumerate(boxes):
        check_box(index, box, height, width)
        if box.kind is BoxKind.INSTANCE:
            mask, record = _mask_in_box(image, index, box, settings, proposer, (probabilities or {}).get(index))
            records.append(record)
            if record.cover > 0:
                masks[index] = mask
    # A vote knows what is behind a fronter box; an agreement of two masks does not.
    doubt_hides = settings.combine == Combine.BOTH
    semantic = paint_masks((height, width), boxes, masks, Overlap(settings.overlap), doubt_hides)
    return BoxMaskResult(semantic, tuple(records))


def check_box(index: int, box: Box, height: int, width: int) -> None:
    """Refuse a box that is empty or not in its image; raises DataError."""
    if not (0 <= box.xmin <= box.xmax < width and 0 <= box.ymin <= box.ymax < height):
        raise DataError(
            f"box {index} ({box.xmin}, {box.ymin}, {box.xmax}, {box.ymax}) is empty or outside its {width} x "
            f"{height} image; check that image and annotation belong together"
        )


def _mask_in_box(
    image: RGBImage, index: int, box: Box, settings: MaskSettings, proposer: Proposer, probability: FloatMap | None
) -> tuple[BoolMask, BoxRecord]:
    height, width = shape = box.ymax - box.ymin + 1, box.xmax - box.xmin + 1
    votes = settings.combine == Combine.VOTE
    grabcut = proposal = mask = np.zeros(shape, np.bool_)
    said = None
    small = min(shape) < settings.min_box
    if not small:
        region = crop_region(image, box, settings.crop_side, settings.margin)
        cuts = [grabcut_mask(region, core, settings.corner, settings.iterations) for core in settings.cores]
        grabcut, found = region.to_box(cuts[0]), proposer(box, region)
        if found is not None:
            proposal = found.inside
        mask = grabcut & proposal
        if votes:
            # A box without a proposal: whatever is said for it then weighs nothing.
            weights = settings.vote if found is not None else replace(settings.vote, proposal=0.0)
            segment = found.seen if found is not None else np.zeros(region.shape, np.bool_)
            said = said_by_colour(region, cuts, segment, weights)
    reason = Fallback.NOT_NEEDED
    if small and not (votes and probability is not None):
        reason = Fallback.SMALL_BOX
    else:
        if votes:
            foot_seen = box.ymax < image.shape[0] - 1
            mask = vote(shape, said, probability, settings.vote, foot_seen) > settings.vote.threshold
        if mask.mean() < settings.min_cover:
            reason = Fallback.NO_CONSENSUS
    if reason is not Fallback.NOT_NEEDED:
        mask = fallback_mask(height, width, settings)
    record = BoxRecord(
        index=index,
        class_id=box.class_id,
        grabcut_area=int(grabcut.sum()),
        proposal_area=int(proposal.sum()),
        agreement=mask_iou(grabcut, proposal),
        cover=float(mask.mean()),
        fallback=reason,
        network_area=0 if probability is None else int((probability >= 0.5).sum()),
    )
    return mask, record


def fallback_mask(height: int, width: int, settings: MaskSettings) -> BoolMask:
    """(height, width) of a box: what it takes for want of a mask, `settings.fallback`; all False for "none"."""
    if settings.fallback == "none":
        return np.zeros((height, width), np.bool_)
    radius = elliptic_radius(height, width)
    # In a box of a few pixels no centre may lie inside the ellipse; the innermost pixels are always taken.
    mask: BoolMask = radius <= max(settings.fallback_radius, float(radius.min()))
    return mask
