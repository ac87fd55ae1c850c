"""Pictures of the masks and maps that are farthest from the ground truth, to see what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import BoolMask, RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box
from weakpan.report.panels import fit, legend, padded, panel, text_picture
from weakpan.report.pictures import NO_THING_COLOR, color_instances

# Two colours of the palette of Okabe and Ito that stay apart with any colour vision.
MASK_COLOR = (230, 159, 0)
REAL_COLOR = (86, 180, 233)
BOX_COLOR = (255, 255, 255)

_MARGIN = 0.25
_LEAST_MARGIN = 6
_CELL = (240, 330)
"""Most rows and columns of a image in `box_sheet`, pixels."""

_TEXT = 13
_GAP = 8


@dataclass(frozen=True)
class BoxCase:
    """A box to be shown.

    Attributes:
        captions: lines above the picture.
        image: (H, W, 3) RGB, the whole image.
        box: in it.
        mask: (H, W), the mask of the box in the whole image.
        real: (H, W), its real instance.
    """

    captions: tuple[str, ...]
    image: RGBImage
    box: Box
    mask: BoolMask
    real: BoolMask


def box_sheet(cases: Sequence[BoxCase], columns: int = 5) -> RGBImage:
    """One picture of boxes, at least one: the image around each, and the outlines of mask, real instance and box.

    Returns:
        (H, W, 3) uint8 RGB on white, `columns` boxes in a row.

    Raises:
        ValueError: no case.
    """
    if not cases:
        raise ValueError("a sheet needs at least one box")
    cells = [_stack([*(text_picture(c, _TEXT) for c in case.captions), outline(case)]) for case in cases]
    rows = [_side_by_side(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    key = [_key("mask", MASK_COLOR), _key("real instance", REAL_COLOR), _key("box", BOX_COLOR)]
    return _stack([*rows, _side_by_side(key)])


def outline(case: BoxCase) -> RGBImage:
    """The image around a box, enlarged or reduced, with the outlines of box, real instance and mask."""
    rows, columns = _surroundings(case.box, case.image.shape[0], case.image.shape[1])
    cut = case.image[rows, columns]
    picture = fit(cut, *_CELL).copy()
    height, width = picture.shape[:2]
    box = np.zeros(case.mask.shape, np.bool_)
    box[case.box.slices] = True
    for pixels, color, line in ((box, BOX_COLOR, 1), (case.real, REAL_COLOR, 2), (case.mask, MASK_COLOR, 2)):
        part = np.ascontiguousarray(pixels[rows, columns]).view(np.uint8)
        scaled = cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(scaled, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        # A dark rim keeps the line visible on a image of its colour.
        cv2.drawContours(picture, contours, -1, (0, 0, 0), line + 2)
        cv2.drawContours(picture, contours, -1, color, line)
    return picture


def image_sheet(rows: Sequence[Sequence[tuple[str, RGBImage]]], catalog: Catalog, height: int = 180) -> RGBImage:
    """One picture of several images: a row each, of pictures under their captions, and the classes below.

    Returns:
        (H, W, 3) uint8 RGB on white; the pictures are `height` pixels high.

    Raises:
        ValueError: no row, or one without pictures.
    """
    panels = [panel(row, height) for row in rows]
    if not panels:
        raise ValueError("a sheet needs at least one image")
    width = max(p.shape[1] for p in panels)
    columns = max(1, width // legend(catalog, 1, _TEXT).shape[1])
    return _stack([*panels, legend(catalog, columns, _TEXT)])


def color_real_things(truth: PanopticTruth, catalog: Catalog) -> RGBImage:
    """Colour the things of ground truth as `color_masks` colours masks: all else is dark grey.

    Returns:
        (H, W, 3) uint8 RGB; instances in shades of their class, groups in the colour itself, ignored pixels hatched.
    """
    picture = color_instances(truth.semantic, truth.instances, catalog)
    picture[np.isin(truth.semantic, catalog.stuff_ids)] = NO_THING_COLOR
    return picture


def mask_of(semantic: SemanticMap, box: Box) -> BoolMask:
    """(H, W), the mask of a box in a map of masks: the pixels of its class in the box."""
    mask = np.zeros(semantic.shape, np.bool_)
    mask[box.slices] = semantic[box.slices] == box.class_id
    return mask


def _surroundings(box: Box, height: int, width: int) -> tuple[slice, slice]:
    spans = []
    for first, last, size in ((box.ymin, box.ymax, height), (box.xmin, box.xmax, width)):
        pad = max(_LEAST_MARGIN, round(_MARGIN * (last - first + 1)))
        spans.append(slice(max(0, first - pad), min(size, last + 1 + pad)))
    return spans[0], spans[1]


def _key(text: str, color: tuple[int, int, int]) -> RGBImage:
    field = np.full((_TEXT, 2 * _TEXT, 3), color, np.uint8)
    field[[0, -1]] = field[:, [0, -1]] = 0
    return _side_by_side([field, text_picture(text, _TEXT)])


def _stack(pictures: Sequence[RGBImage]) -> RGBImage:
    width = max(p.shape[1] for p in pictures)
    return np.concatenate([padded(p, p.shape[0], width) for p in pictures])


def _side_by_side(pictures: Sequence[RGBImage]) -> RGBImage:
    height = max(p.shape[0] for p in pictures)
    return np.concatenate([padded(p, height + _GAP, p.shape[1] + _GAP) for p in pictures], axis=1)
