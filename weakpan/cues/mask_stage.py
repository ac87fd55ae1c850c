"""Masks in boxes of one image, from file to file: the unit of work that processes share.

Worker processes import this module, so it must stay clear of torch: that alone would cost each of them seconds.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2

from weakpan.cues.box_masks import MaskSettings, masks_in_boxes
from weakpan.data.annotations import ImageAnnotation
from weakpan.images import read_rgb
from weakpan.map_store import MapStore

WITHOUT_MASK = "without mask"
BOXES = "boxes"


def write_masks(path: Path, annotation: ImageAnnotation, settings: MaskSettings, store: MapStore) -> Counter[str]:
    """Make and write the map of one image.

    Args:
        path: of the photograph.
        annotation: its boxes.
        settings: of masks in boxes.
        store: that the map goes to.

    Returns:
        Number of boxes (`BOXES`), of boxes without a mask (`WITHOUT_MASK`), and of boxes by `Fallback`.
    """
    # One image a process: OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    result = masks_in_boxes(read_rgb(path), annotation.boxes, settings)
    store.write(annotation.image_id, result.semantic)
    counts = Counter(str(record.fallback) for record in result.records)
    counts[BOXES] = len(result.records)
    counts[WITHOUT_MASK] = sum(record.cover == 0 for record in result.records)
    return counts
