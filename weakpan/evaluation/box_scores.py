"""How good masks in boxes are, box by box, between what needs no pixels and what cannot be better.

The mask of a box is what a map of masks says in it: the pixels of its class. Where two boxes of a class overlap, each
is charged with the pixels of both, because whoever reads the map has to tell them apart; so even a map of the real
masks does not reach an IoU of 1. The controls are maps, too, and are read in the same way: an ellipse in each box and
the whole box, smaller boxes in front, and the real things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weakpan.basics.arrays import NO_THING, BoolMask, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind
from weakpan.evaluation.real_instances import RealInstances, find_instances, match_boxes
from weakpan.masks.painting import paint_masks
from weakpan.masks.region import elliptic_radius

ELLIPSE_RADIUS = 1.0
"""Of the control ellipse: 1 is the one inscribed in the box. Among 0.7 to 1.2 its mean IoU is the highest on CamVid
(0.70), and on a few Cityscapes frames within 0.005 of the highest (0.65)."""

MASK, ELLIPSE, WHOLE_BOX, PERFECT = "mask", "ellipse", "whole_box", "perfect"
READINGS = (MASK, ELLIPSE, WHOLE_BOX, PERFECT)
"""What is scored in a box: the mask; two controls that need no pixels; and what a map of the real things says there."""


@dataclass(frozen=True)
class PixelCounts:
    """A mask in a box beside the real instance.

    Attributes:
        pixels: of the mask.
        real: visible pixels of the real instance, in the box or not.
        shared: pixels of both.
        of_class: pixels of the mask whose real class is that of the box, whichever instance they belong to.
    """

    pixels: int
    real: int
    shared: int
    of_class: int

    @property
    def iou(self) -> float:
        """Intersection over union with the instance, 0..1."""
        return self.shared / (self.pixels + self.real - self.shared)

    @property
    def precision(self) -> float | None:
        """Share of the mask that belongs to the instance, 0..1; None for an empty mask."""
        return self.shared / self.pixels if self.pixels else None

    @property
    def recall(self) -> float:
        """Share of the instance that the mask holds, 0..1."""
        return self.shared / self.real


@dataclass(frozen=True)
class BoxScore:
    """What the masks in one instance box are worth.

    Attributes:
        index: position of the box in its annotation.
        box: the box.
        counts: by `READINGS`; empty for a box without a real instance.
    """

    index: int
    box: Box
    counts: Mapping[str, PixelCounts]


def score_boxes(
    semantic: SemanticMap, boxes: Sequence[Box], truth: PanopticTruth, catalog: Catalog
) -> tuple[list[BoxScore], int]:
    """Score the masks in the boxes of one image.

    Ignored pixels of the truth belong to no instance and to no class: a mask that holds them is wrong there.

    Args:
        semantic: (H, W) uint8, masks in boxes: train ids of things; 254 and 255 are no mask.
        boxes: of the image, of any kind; the instance boxes are scored.
        truth: (H, W) ground truth.
        catalog: class table of all.

    Returns:
        A score for each instance box, in the order of the boxes, and the number of real instances that no box speaks of
        (see `match_boxes`).

    Raises:
        ValueError: maps of different sizes.
    """
    if semantic.shape != truth.semantic.shape:
        raise ValueError(f"a map of {semantic.shape} and ground truth of {truth.semantic.shape} do not match")
    real = find_instances(truth, catalog)
    matched = match_boxes(boxes, real.boxes)
    perfect = np.where(catalog.is_thing[truth.semantic], truth.semantic, np.uint8(NO_THING))
    maps = {MASK: semantic, **control_maps(semantic.shape, boxes), PERFECT: perfect}
    scores = [
        BoxScore(index, box, _count(maps, box, truth.semantic, real, matched[index]) if index in matched else {})
        for index, box in enumerate(boxes)
        if box.kind is BoxKind.INSTANCE
    ]
    return scores, len(real.boxes) - len(matched)


def control_maps(shape: tuple[int, ...], boxes: Sequence[Box]) -> dict[str, SemanticMap]:
    """(H, W) uint8 maps, as `paint_masks` gives them, of the ellipses in the boxes and of the whole boxes."""
    size = shape[0], shape[1]
    sides = {k: b.shape for k, b in enumerate(boxes) if b.kind is BoxKind.INSTANCE}
    ellipses: dict[int, BoolMask] = {k: elliptic_radius(*side) <= ELLIPSE_RADIUS for k, side in sides.items()}
    whole = {k: np.ones(side, np.bool_) for k, side in sides.items()}
    return {
        ELLIPSE: paint_masks(size, boxes, ellipses, doubt_hides=False),
        WHOLE_BOX: paint_masks(size, boxes, whole, doubt_hides=False),
    }


def _count(
    maps: Mapping[str, SemanticMap], box: Box, semantic: SemanticMap, real: RealInstances, position: int
) -> dict[str, PixelCounts]:
    instance = real.positions[box.slices] == position + 1
    of_class = semantic[box.slices] == box.class_id
    counts = {}
    for name, values in maps.items():
        mask = values[box.slices] == box.class_id
        pixels, shared, right = (int(np.count_nonzero(m)) for m in (mask, mask & instance, mask & of_class))
        counts[name] = PixelCounts(pixels, real.areas[position], shared, right)
    return counts
