"""The masks in the boxes of one image, and the record of what became of each box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from weakpan.basics.arrays import SemanticMap


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
    grabcut_area: int = 0
    proposal_area: int = 0
    agreement: float = 0.0
    cover: float = 0.0
    fallback: Fallback = Fallback.NOT_NEEDED
    network_area: int = 0


@dataclass(frozen=True)
class BoxMaskResult:
    """Masks in the boxes of one image.

    Attributes:
        semantic: (H, W) uint8: train id of a thing, 255 undecided inside a box, NO_THING outside all boxes.
        records: one for each instance box, in the order of the boxes.
        counts: whatever else a source counts, by name, for the summary of a stage.
    """

    semantic: SemanticMap
    records: tuple[BoxRecord, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
