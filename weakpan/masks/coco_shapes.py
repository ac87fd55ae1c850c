"""Masks as COCO writes them: run lengths, plain or compressed, and polygons.

Of pycocotools, the library of the format, only this codec would be used, and it would make every user of masks from
files install compiled code: `decompress` and `decode_runs` follow its `rleFrString` and `rleDecode`
(cocodataset/cocoapi, common/maskApi.c).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.draw import polygon as polygon_pixels

from weakpan.basics.arrays import BoolMask


def decode_segmentation(segmentation: Any, height: int, width: int) -> BoolMask:
    """Decode the `segmentation` of an annotation.

    Args:
        segmentation: {"size": [height, width], "counts": string or list}, or a list of polygons [x0, y0, x1, y1, ...].
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: another structure, another size than the image's, or run lengths that do not fill the image.
    """
    if isinstance(segmentation, list):
        return decode_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise ValueError("segmentation is neither run lengths (size, counts) nor a list of polygons")
    size = segmentation.get("size")
    if size != [height, width]:
        raise ValueError(f"run lengths of size {size}, the image is [{height}, {width}] (height, width)")
    counts = segmentation["counts"]
    return decode_runs(decompress(counts) if isinstance(counts, str) else counts, height, width)


def decode_runs(counts: list[int], height: int, width: int) -> BoolMask:
    """Decode plain run lengths: of 0 and 1 by turns, beginning with 0, down the columns from left to right.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: not a list of whole numbers from 0 on, or a total that is not `height * width`.
    """
    if not isinstance(counts, list) or not all(type(c) is int and c >= 0 for c in counts):
        raise ValueError("counts must be a string or a list of whole numbers from 0 on")
    # Checked before anything is allocated: the numbers come from a file.
    if sum(counts) != height * width:
        raise ValueError(f"run lengths add up to {sum(counts)}, a {height} x {width} image has {height * width} pixels")
    values = np.arange(len(counts)) % 2 == 1
    mask: BoolMask = np.repeat(values, counts).reshape(width, height).T
    return mask


def decompress(text: str) -> list[int]:
    """Run lengths from COCO's compressed string.

    Each number is written in groups of five bits, lowest first, as the characters from "0" on; the sixth bit of a
    character says that more follow, the highest bit of the last group is the sign. From the fourth number on it is the
    difference to the number two places before.

    Raises:
        ValueError: a character that does not occur in such a string, or an end within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64:
            raise ValueError(f"character {character!r} does not occur in compressed run lengths")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths end within a number")
    return counts


def decode_polygons(polygons: list[Any], height: int, width: int) -> BoolMask:
    """Fill polygons; a pixel belongs to a polygon when its centre does.

    Coordinates are in pixels with 0 at the outer border of the first pixel, so that its centre is at 0.5. OpenCV's
    `fillPoly` would add the pixels that the outline touches, which makes an object of 20 pixels a sixth larger.

    Args:
        polygons: each [x0, y0, x1, y1, ...], at least three points; parts beyond the image are cut off.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        (H, W) bool, the union of the polygons.

    Raises:
        ValueError: a polygon that is not such a list of finite numbers.
    """
    mask = np.zeros((height, width), np.bool_)
    for number, polygon in enumerate(polygons):
        if (
            not isinstance(polygon, list)
            or not all(type(v) in (int, float) for v in polygon)
            or len(polygon) % 2
            or len(polygon) < 6
            or not np.isfinite(polygon).all()
        ):
            raise ValueError(f"polygon {number} is not [x0, y0, x1, y1, ...] with at least three points")
        points = np.asarray(polygon, np.float64).reshape(-1, 2) - 0.5
        mask[polygon_pixels(points[:, 1], points[:, 0], (height, width))] = True  # type: ignore[no-untyped-call]
    return mask
