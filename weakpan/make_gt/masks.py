"""Stage `masks`: masks in boxes from photographs and boxes, or from the files of another tool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weakpan.cues.mask_sources import MaskSource
from weakpan.cues.mask_stage import count_boxes
from weakpan.data.released import ReleasedTree
from weakpan.images import inspect_image, read_rgb
from weakpan.make_gt.json_records import JsonRecords
from weakpan.make_gt.mask_records import write_box_records
from weakpan.make_gt.settings import Claim
from weakpan.make_gt.weak_source import WeakSource
from weakpan.make_gt.whole import is_whole


@dataclass(frozen=True)
class MakeMasks:
    """The masks in the boxes of one image, as a map, and what became of each box.

    Attributes:
        weak: boxes.
        masks: where masks come from.
        out: where maps go.
        records: where it is written what became of each box.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    masks: MaskSource
    out: ReleasedTree
    records: JsonRecords
    claim: Claim | None = None

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.weak.maps.missing_photograph(image_id) or self.weak.missing_boxes(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether map and records are there and whole."""
        return is_whole(self.out.masks_path(image_id)) and self.records.has(image_id)

    def __call__(self, image_id: str) -> Counter[str]:
        """Make and write records and map of an image; counts boxes, those without a mask, and those by fallback."""
        path = self.weak.photograph(image_id)
        annotation = self.weak.annotation(image_id, inspect_image(path), with_tags=False)
        result = self.masks.masks(annotation, partial(read_rgb, path))
        if self.claim is not None:
            self.claim()
        write_box_records(self.records, image_id, annotation.boxes, result.records, self.weak.catalog)
        self.out.write_masks(image_id, result.semantic)
        return Counter(images=1) + count_boxes(result)
