"""Masks in boxes of one image, from file to file: the unit of work that processes share.

Worker processes import this module, so it must stay clear of torch: that alone would cost each of them seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weakpan.basics.errors import DataError, errors_below
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.image_tree import CityscapesSplit
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import MaskSource
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import inspect_image, is_whole, read_rgb
from weakpan.storage.map_store import MapStore
from weakpan.storage.records import JsonRecords
from weakpan.tasks.claim import Claim
from weakpan.tasks.mask_records import write_box_records
from weakpan.tasks.weak_source import WeakSource

WITHOUT_MASK = "without mask"
BOXES = "boxes"
MASKS = "masks"
"""Group of the configuration that a source stands in."""


@dataclass(frozen=True)
class WriteMasks:
    """Makes and writes the map of one image at a time, and beside it what `count_boxes` counted.

    The counts outlive an interruption, so that those of all images can be told once all are done.

    Attributes:
        photographs: of the split.
        annotations: boxes by image id.
        source: where masks come from.
        store: that maps go to.
        counts: folder for the counts.
    """

    photographs: CityscapesSplit
    annotations: Mapping[str, ImageAnnotation]
    source: MaskSource
    store: MapStore
    counts: Path

    def is_done(self, image_id: str) -> bool:
        """Whether map and counts are there and whole."""
        try:
            return self.store.has(image_id) and self.store.read(image_id) is not None and bool(self.count(image_id))
        except DataError:
            return False

    def __call__(self, image_id: str) -> Counter[str]:
        """Make and write the map of an image; counts as `count_boxes`."""
        path = self.photographs.image_path(image_id)
        with errors_below(MASKS):
            result = self.source.masks(self.annotations[image_id], partial(read_rgb, path), self.photographs.catalog)
        counted = count_boxes(result)
        write_text_atomically(self._counts_path(image_id), json.dumps(counted))
        self.store.write(image_id, result.semantic)
        return counted

    def count(self, image_id: str) -> Counter[str]:
        """What was counted in an image that is done; raises DataError if that is missing or damaged."""
        path = self._counts_path(image_id)
        try:
            return Counter(
                {str(key): int(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
            )
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise DataError(f"{path}: not readable ({error}); start the same command again") from error

    def _counts_path(self, image_id: str) -> Path:
        return self.counts / f"{image_id}.json"


def count_boxes(result: BoxMaskResult) -> Counter[str]:
    """Numbers of boxes (`BOXES`), of boxes without a mask (`WITHOUT_MASK`) and by `Fallback`, and of its source."""
    counts = Counter(str(record.fallback) for record in result.records)
    counts.update(result.counts)
    counts[BOXES] = len(result.records)
    counts[WITHOUT_MASK] = sum(record.cover == 0 for record in result.records)
    return counts


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
        with errors_below(MASKS):
            result = self.masks.masks(annotation, partial(read_rgb, path), self.weak.catalog)
        if self.claim is not None:
            self.claim()
        write_box_records(self.records, image_id, annotation.boxes, result.records, self.weak.catalog)
        self.out.write_masks(image_id, result.semantic)
        return Counter(images=1) + count_boxes(result)
