"""Pictures of label maps and annotations: pure functions from arrays to RGB arrays of the same height and width.

Pixels without a label are drawn as a light hatch in every picture, so that they cannot be taken for a class.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, NO_THING, BoolMask, FloatMap, InstanceMap, RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticMap
from weakpan.data.annotations import Box, BoxKind
from weakpan.report.shades import instance_shades

NO_THING_COLOR = (48, 48, 48)
HATCH_COLORS = ((244, 244, 244), (196, 196, 196))
FOR_COLOR = (230, 159, 0)
AGAINST_COLOR = (0, 114, 178)

_STRIPES_A_SIDE = 100


def color_semantic(semantic: SemanticMap, catalog: Catalog) -> RGBImage:
    """Colour an (H, W) map of train ids by its class table, as (H, W, 3) uint8 RGB.

    255, no label, is hatched; a value that is neither that nor a class is black.
    """
    return _hatched(catalog.palette[semantic], semantic == IGNORE)


def color_instances(semantic: SemanticMap, instances: InstanceMap, catalog: Catalog) -> RGBImage:
    """Colour labels given as a semantic and an instance map, such as the labels of a round or the real ones.

    Maps are (H, W): train ids, 255 where there is no label; and int32 in which, within a class of things, equal numbers
    above 0 are one instance.

    Returns:
        (H, W, 3) uint8 RGB. The instances of a class get shades of its colour in the order of their numbers; stuff
        and group regions get the colour itself.
    """
    _check_same_size(semantic, instances)
    picture = color_semantic(semantic, catalog)
    for class_id in catalog.thing_ids:
        inside = (semantic == class_id) & (instances > 0)
        numbers, order = np.unique(instances[inside], return_inverse=True)
        if len(numbers):
            picture[inside] = instance_shades(catalog, class_id, len(numbers))[order]
    return picture


def color_panoptic(panoptic: PanopticMap, catalog: Catalog) -> RGBImage:
    """Colour a panoptic map: stuff by class, each instance of a thing in its own shade of the class colour.

    Returns:
        (H, W, 3) uint8 RGB; pixels without a segment are hatched. The first instance of a class (lowest id) has the
        class colour itself.

    Raises:
        ValueError: `ids` holds an id that no segment has.
    """
    return color_instances(semantic_of(panoptic), panoptic.ids, catalog)


def semantic_of(panoptic: PanopticMap) -> SemanticMap:
    """The classes of a panoptic map as (H, W) uint8 train ids, 255 where nothing is predicted.

    Raises:
        ValueError: `ids` holds an id that no segment has.
    """
    class_of = {0: IGNORE} | {s.segment_id: s.class_id for s in panoptic.segments}
    ids, position = np.unique(panoptic.ids, return_inverse=True)
    missing = [int(i) for i in ids if int(i) not in class_of]
    if missing:
        raise ValueError(f"the id map holds segment {missing[0]}, which is not among the {len(class_of) - 1} segments")
    classes = np.array([class_of[int(i)] for i in ids], np.uint8)
    return classes[position].reshape(panoptic.ids.shape)


def color_masks(masks: SemanticMap, catalog: Catalog) -> RGBImage:
    """Colour an (H, W) uint8 map of masks in boxes, as (H, W, 3) uint8 RGB.

    Train ids of things have their colours; 254, "no thing here", is dark grey; 255, undecided, is hatched.
    """
    picture = color_semantic(masks, catalog)
    picture[masks == NO_THING] = NO_THING_COLOR
    return picture


def overlay(image: RGBImage, panoptic: PanopticMap, catalog: Catalog, alpha: float) -> RGBImage:
    """Lay the colours of a panoptic map over its image; where there is no segment the image turns grey and hatched.

    Both are of one height and width, the image and the picture (H, W, 3) uint8 RGB; `alpha` is the weight of the
    colours, 0 (image alone) to 1 (colours alone).

    Raises:
        ValueError: sizes that differ, or an alpha outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; expected 0 to 1")
    colors, unlabelled = color_panoptic(panoptic, catalog), panoptic.ids == 0
    _check_same_size(image, unlabelled)
    below = image.copy()
    below[unlabelled] = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[unlabelled][:, None]
    return np.rint(below * (1.0 - alpha) + colors * alpha).astype(np.uint8)


def overlay_heatmap(image: RGBImage, values: FloatMap) -> RGBImage:
    """Lay what speaks for a class (orange) and against it (blue) over the grey image; both are (H, W, 3) uint8 RGB.

    Values are (h, w) of any size and scale, above 0 for the class; the largest distance from 0 is the full colour.
    """
    scaled = cv2.resize(values, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    strength = (np.abs(scaled) / max(float(np.abs(values).max(initial=0)), 1e-12))[..., None]
    colors = np.where(scaled[..., None] > 0, np.array(FOR_COLOR), np.array(AGAINST_COLOR))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return np.rint(grey * (1 - strength) + colors * strength).clip(0, 255).astype(np.uint8)


def draw_boundaries(picture: RGBImage, *maps: npt.NDArray[np.integer]) -> RGBImage:
    """Draw the contours between segments: a pixel of white beside a pixel of black, visible on any colour.

    Two neighbours belong to different segments if any of the maps, (H, W) integers, tells them apart.

    Returns:
        A new (H, W, 3) uint8 RGB picture; the one that is given stays as it is.
    """
    before, after = (np.zeros(picture.shape[:2], bool) for _ in range(2))
    for values in maps:
        _check_same_size(picture, values)
        down, right = values[1:] != values[:-1], values[:, 1:] != values[:, :-1]
        before[:-1] |= down
        before[:, :-1] |= right
        after[1:] |= down
        after[:, 1:] |= right
    drawn = picture.copy()
    drawn[after] = 0
    drawn[before] = 255
    return drawn


def draw_boxes(picture: RGBImage, boxes: Sequence[Box], catalog: Catalog) -> RGBImage:
    """Draw boxes, in pixels of the picture, in the colours of their classes; boxes of groups and of stuff are dashed.

    Returns:
        A new (H, W, 3) uint8 RGB picture; the one that is given stays as it is.
    """
    drawn = np.ascontiguousarray(picture).copy()
    shorter = min(picture.shape[:2])
    line = max(1, round(shorter / 180))
    # Small boxes last, or the line of a large one would hide them.
    for box in sorted(boxes, key=lambda b: -b.area):
        red, green, blue = catalog.classes[box.class_id].color
        if shorter >= 100:  # on a smaller picture the rim would hide what is in the box
            is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128
            rim = (255, 255, 255) if is_dark else (0, 0, 0)
            _draw_box(drawn, box, rim, line + 2)
        _draw_box(drawn, box, (red, green, blue), line)
    return drawn


def hatch(height: int, width: int) -> RGBImage:
    """The (height, width, 3) uint8 pattern for pixels without a label: diagonal stripes that survive scaling down."""
    stripe = max(1, max(height, width) // _STRIPES_A_SIDE)
    odd = (np.add.outer(np.arange(height), np.arange(width)) // stripe) % 2
    pattern: RGBImage = np.array(HATCH_COLORS, np.uint8)[odd]
    return pattern


def _draw_box(picture: RGBImage, box: Box, color: tuple[int, int, int], line: int) -> None:
    if box.kind is BoxKind.INSTANCE:
        cv2.rectangle(picture, (box.xmin, box.ymin), (box.xmax, box.ymax), color, line)
        return
    dash = max(3, min(picture.shape[:2]) // 60)
    for x in range(box.xmin, box.xmax + 1, 2 * dash):
        for y in (box.ymin, box.ymax):
            cv2.line(picture, (x, y), (min(x + dash - 1, box.xmax), y), color, line)
    for y in range(box.ymin, box.ymax + 1, 2 * dash):
        for x in (box.xmin, box.xmax):
            cv2.line(picture, (x, y), (x, min(y + dash - 1, box.ymax)), color, line)


def _hatched(picture: RGBImage, unlabelled: BoolMask) -> RGBImage:
    picture[unlabelled] = hatch(*unlabelled.shape)[unlabelled]
    return picture


def _check_same_size(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> None:
    if one.shape[:2] != other.shape[:2]:
        raise ValueError(f"a picture of {one.shape[:2]} and a map of {other.shape[:2]} (height, width) do not match")
