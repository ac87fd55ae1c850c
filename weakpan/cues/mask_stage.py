"""Masks in boxes of one image, from file to file: the unit of work that processes share.

Worker processes import this module, so it must stay clear of torch: that alone would cost each of them seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from weakpan.cues.box_masks import BoxMaskResult
from weakpan.cues.mask_sources import MaskSource
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.cityscapes import CityscapesSplit
from weakpan.errors import DataError
from weakpan.images import read_rgb
from weakpan.map_store import MapStore

WITHOUT_MASK = "without mask"
BOXES = "boxes"


@dataclass(frozen=True)
class WriteMasks:
    """Makes and writes the map of one image at a time.

    Attributes:
        photographs: of the split.
        annotations: boxes by image id.
        source: where masks come from.
        store: that maps go to.
    """

    photographs: CityscapesSplit
    annotations: Mapping[str, ImageAnnotation]
    source: MaskSource
    store: MapStore

    def is_done(self, image_id: str) -> bool:
        """Whether the map is there and whole."""
        try:
            return self.store.has(image_id) and self.store.read(image_id) is not None
        except DataError:
            return False

    def __call__(self, image_id: str) -> Counter[str]:
        """Make and write the map of an image; counts as `count_boxes`."""
        path = self.photographs.image_path(image_id)
        result = self.source.masks(self.annotations[image_id], partial(read_rgb, path))
        self.store.write(image_id, result.semantic)
        return count_boxes(result)


def count_boxes(result: BoxMaskResult) -> Counter[str]:
    """Number of boxes (`BOXES`), of boxes without a mask (`WITHOUT_MASK`), and of boxes by `Fallback`."""
    counts = Counter(str(record.fallback) for record in result.records)
    counts[BOXES] = len(result.records)
    counts[WITHOUT_MASK] = sum(record.cover == 0 for record in result.records)
    return counts
