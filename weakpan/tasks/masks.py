"""Masks in boxes of one image, from file to file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weakpan.basics.errors import errors_below
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks.result import BoxMaskResult, BoxRecord
from weakpan.masks.source import MaskSource
from weakpan.storage.images import inspect_image, is_whole, read_rgb
from weakpan.storage.records import JsonRecords
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.mask_records import read_box_records, write_box_records
from weakpan.tasks.stores import Maps

WITHOUT_MASK = "without mask"
BOXES = "boxes"
MASKS = "masks"
"""Group of the configuration that a source stands in."""


@dataclass(frozen=True)
class MakeMasks:
    """The masks in the boxes of one image, as a map, and what became of each box."""

    annotations: AnnotationSource
    source: MaskSource
    maps: Maps
    records: JsonRecords

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.annotations.missing_image(image_id) or self.annotations.missing(image_id, with_tags=False)

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Map and record of an image."""
        return self.maps.path(image_id), self.records.path(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether map and records are there and whole."""
        return is_whole(self.maps.path(image_id)) and self.records.has(image_id)

    def make(self, image_id: str) -> tuple[ImageAnnotation, BoxMaskResult]:
        """Find the masks in the boxes of an image."""
        path = self.annotations.image_path(image_id)
        annotation = self.annotations.annotation(image_id, inspect_image(path), with_tags=False)
        with errors_below(MASKS):
            return annotation, self.source.masks(annotation, partial(read_rgb, path), self.annotations.catalog)

    def write(self, image_id: str, made: tuple[ImageAnnotation, BoxMaskResult]) -> Counter[str]:
        """Write records and map of an image; counts boxes, those without a mask, and those by fallback."""
        annotation, result = made
        write_box_records(self.records, image_id, annotation.boxes, result.records, self.annotations.catalog)
        self.maps.write(image_id, result.semantic)
        return Counter(images=1) + count_boxes(result)

    def counts(self, image_id: str) -> Counter[str]:
        """Boxes, those without a mask, and those by fallback, of an image that is done; raises DataError."""
        return _count(read_box_records(self.records, image_id, self.annotations.catalog))


def count_boxes(result: BoxMaskResult) -> Counter[str]:
    """Numbers of boxes (`BOXES`), of boxes without a mask (`WITHOUT_MASK`) and by `Fallback`, and of its source."""
    return _count(result.records) + Counter(result.counts)


def _count(records: Sequence[BoxRecord]) -> Counter[str]:
    counts = Counter(str(record.fallback) for record in records)
    counts[BOXES] = len(records)
    counts[WITHOUT_MASK] = sum(record.cover == 0 for record in records)
    return counts
