"""A prediction on top of its photograph, with names on what is large enough to carry one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap
from weakpan.report.pictures import draw_boundaries, overlay
from weakpan.storage.files import write_bytes_atomically

_ALPHA = 0.55
_QUALITY = 90
_NAMED_SHARE = 0.008
"""Segments that cover less of the picture stay without a name."""

_SMALLEST_NAMED = 100
"""Pictures with a shorter side below this many pixels have no room for names."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_prediction(photograph: RGBImage, panoptic: PanopticMap, catalog: Catalog) -> RGBImage:
    """Lay the colours, contours and names of a prediction over its photograph, (H, W, 3) uint8 RGB as the result.

    It is grey and hatched where nothing is predicted.

    Raises:
        ValueError: sizes that differ, or an id that no segment has.
    """
    picture = draw_boundaries(overlay(photograph, panoptic, catalog, _ALPHA), panoptic.ids)
    return _draw_names(picture, panoptic, catalog)


def write_jpeg(path: Path, picture: RGBImage) -> None:
    """Write an (H, W, 3) RGB picture as JPEG, atomically; DataError if it is too large for one."""
    try:
        done, buffer = cv2.imencode(
            ".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
    except cv2.error:
        done = False
    if not done:
        raise DataError(f"{path}: a picture of {picture.shape[:2]} pixels is too large for JPEG; give overlays=false")
    write_bytes_atomically(path, buffer.tobytes())


def _draw_names(picture: RGBImage, panoptic: PanopticMap, catalog: Catalog) -> RGBImage:
    height, width = picture.shape[:2]
    if min(height, width) < _SMALLEST_NAMED:
        return picture
    size = max(0.35, min(height, width) / 1100)
    line = max(1, round(1.4 * size))
    for segment in panoptic.segments:
        mask = (panoptic.ids == segment.segment_id).astype(np.uint8)
        if mask.sum() < _NAMED_SHARE * mask.size:
            continue
        # The pixel farthest from the segment's rim and the picture's has the most room around it.
        room = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(room.argmax()), room.shape)
        name = catalog.names[segment.class_id]
        (wide, tall), _ = cv2.getTextSize(name, _FONT, size, line)
        if tall > 2 * room[row, column] or wide > np.count_nonzero(mask[row]):
            continue
        left = min(max(0, int(column) - wide // 2), max(0, width - wide))
        _write(picture, name, (left, min(height - 1, int(row) + tall // 2)), size, line)
    return picture


def _write(picture: RGBImage, text: str, place: tuple[int, int], size: float, line: int) -> None:
    """White letters with a dark rim; `place` is the column and row of the lower left corner."""
    # A rim from a thicker line would not fit its letters: OpenCV 5 spaces bold letters wider.
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        moved = (place[0] + right * line, place[1] + down * line)
        cv2.putText(picture, text, moved, _FONT, size, (0, 0, 0), line, cv2.LINE_AA)
    cv2.putText(picture, text, place, _FONT, size, (255, 255, 255), line, cv2.LINE_AA)
