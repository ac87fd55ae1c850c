"""Matches between the loose masks of an image and its boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakpan.basics.arrays import IGNORE, BoolMask
from weakpan.basics.settings import between, check_settings, one_of, setting
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.masks.painting import Overlap, paint_masks
from weakpan.masks.result import BoxMaskResult, BoxRecord, Fallback
from weakpan.masks.source import MaskSource, check_template

CROWD_MASKS = "masks marked as crowds"
"""Name of a count: boxes that took such a mask."""


@dataclass(frozen=True)
class MatchedMasks(MaskSource):
    """Settings of sources whose masks are read from files and matched with boxes.

    Attributes:
        path: file or folder of the masks.
        template: how an image is called in it, without suffix, with `{id}` for the image id.
        min_iou: least IoU of a mask's own bounding box with the box that takes it, 0..1.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    path: Path
    template: str = "{id}"
    min_iou: float = setting(0.5, between(0, 1))
    overlap: str = setting("small", one_of(Overlap))

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_settings(self)
        check_template(self.template)

    def match(self, annotation: ImageAnnotation, loose: Sequence[LooseMask]) -> BoxMaskResult:
        """The masks of one image with these settings, see `match_masks`."""
        return match_masks(annotation, loose, self.min_iou, self.overlap)


@dataclass(frozen=True)
class LooseMask:
    """A mask that no box has taken yet, cut to its own bounding box.

    Attributes:
        top: row of its first pixel in the image.
        left: column of its first pixel in the image.
        pixels: (height, width), True inside; at least one True in each border row and column.
        class_id: train id; None fits boxes of any class.
        score: which of two masks that fit equally well is preferred; any unit, higher is better.
        crowd: marked as a crowd in its file; it is taken only by a box that no other mask fits.
    """

    top: int
    left: int
    pixels: BoolMask
    class_id: int | None = None
    score: float = 0.0
    crowd: bool = False

    @classmethod
    def cut(
        cls, mask: BoolMask, class_id: int | None = None, score: float = 0.0, crowd: bool = False
    ) -> LooseMask | None:
        """Cut an (H, W) mask of the whole image to its bounding box; None if it is empty."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return None
        top, left = int(rows[0]), int(columns[0])
        # A copy, so that the mask of the whole image is not kept.
        return cls(top, left, mask[top : rows[-1] + 1, left : columns[-1] + 1].copy(), class_id, score, crowd)

    @property
    def box(self) -> Box:
        """Around the mask; its class says nothing."""
        height, width = self.pixels.shape
        return Box(IGNORE, self.left, self.top, self.left + width - 1, self.top + height - 1)

    def inside(self, box: Box) -> BoolMask:
        """(box height, box width): the pixels of the mask in `box`."""
        own, inside = self.box, np.zeros(box.shape, np.bool_)
        top, bottom = max(own.ymin, box.ymin), min(own.ymax, box.ymax) + 1
        left, right = max(own.xmin, box.xmin), min(own.xmax, box.xmax) + 1
        if top < bottom and left < right:
            inside[top - box.ymin : bottom - box.ymin, left - box.xmin : right - box.xmin] = self.pixels[
                top - self.top : bottom - self.top, left - self.left : right - self.left
            ]
        return inside


def match_masks(
    annotation: ImageAnnotation, loose: Sequence[LooseMask], min_iou: float = 0.5, overlap: str = "small"
) -> BoxMaskResult:
    """Give each instance box at most one mask, and paint the map.

    Pairs of a box and a mask of its class (or of no class) are taken from the highest IoU of their boxes down, each box
    and each mask once, those of crowds last. Equal pairs are taken by score, then in the order of the boxes, then of
    the masks. What reaches beyond the box is cut off. A box without a mask is undecided, and its record says
    `Fallback.NO_MASK`.

    Args:
        annotation: of the image.
        loose: masks of that image, of any number.
        min_iou: least IoU of a mask's own bounding box with the box that takes it, 0..1.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.
    """
    boxes = annotation.boxes
    pairs = []
    for index, box in enumerate(boxes):
        if box.kind is not BoxKind.INSTANCE:
            continue
        for number, mask in enumerate(loose):
            if mask.class_id not in (None, box.class_id):
                continue
            iou = mask.box.iou(box)
            if iou >= min_iou:
                pairs.append((mask.crowd, -iou, -mask.score, index, number))
    masks: dict[int, BoolMask] = {}
    used: set[int] = set()
    for *_, index, number in sorted(pairs):
        if index in masks or number in used:
            continue
        inside = loose[number].inside(boxes[index])
        # Bounding boxes can meet where pixels do not; such a mask is left for another box.
        if inside.any():
            masks[index] = inside
            used.add(number)
    records = tuple(
        match_record(index, box, float(masks[index].mean()) if index in masks else 0.0)
        for index, box in enumerate(boxes)
        if box.kind is BoxKind.INSTANCE
    )
    size = annotation.height, annotation.width
    semantic = paint_masks(size, boxes, masks, Overlap(overlap), doubt_hides=False)
    crowds = sum(loose[number].crowd for number in used)
    return BoxMaskResult(semantic, records, {CROWD_MASKS: crowds} if crowds else {})


def match_record(index: int, box: Box, cover: float) -> BoxRecord:
    """The record of a box whose mask was read rather than made; a `cover` of 0 means that there was none."""
    return BoxRecord(
        index=index,
        class_id=box.class_id,
        cover=cover,
        fallback=Fallback.NOT_NEEDED if cover > 0 else Fallback.NO_MASK,
    )
