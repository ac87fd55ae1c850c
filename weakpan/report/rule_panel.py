"""Pictures of how the labels of an image came about: the map after every rule, and which rule decided where."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, BoolMask, RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.labels.pipeline import INPUT, PseudoLabels
from weakpan.labels.trail import AuditTrail
from weakpan.report.panels import PAPER, legend, padded, panel, text_picture
from weakpan.report.pictures import HATCH_COLORS, color_instances, color_semantic, draw_boundaries, draw_boxes, hatch

DIMMED = 0.22
"""Weight of the colours of what a rule left as it was; the rest is white."""

_PALE = 0.4
"""Weight of the colour in the paler of two stripes; the rest is white."""

_RIM_BELOW = 0.05
"""Share of changed pixels above which they are seen without a rim; it would cover more than it shows."""

_RIM_COLOR = (0, 0, 0)
_RIMS_A_SIDE = 300

_GAP = 10


def rule_pictures(
    image: RGBImage | None, annotation: ImageAnnotation, catalog: Catalog, trail: AuditTrail, labels: PseudoLabels
) -> list[tuple[str, RGBImage]]:
    """Caption and picture of everything on the way from the prediction to the labels, in order.

    The image, (H, W, 3) uint8 RGB, with its boxes (the boxes alone if it is None); the input; for each rule that
    applied the map after it, where what it left alone is dimmed and what it took the label from shows stripes of the
    class that was there; the labels with their instances; the rule that decided each pixel, striped where it left no
    label.

    Returns:
        Captions and (H, W, 3) uint8 RGB pictures of one size.

    Raises:
        ValueError: image, record and labels are not of one size.
    """
    shape = trail.prediction.shape
    for what, found in (("image", image), ("labels", labels.semantic)):
        if found is not None and found.shape[:2] != shape:
            raise ValueError(f"the {what} of {found.shape[:2]} and the record of {shape} (height, width) do not match")
    background = np.full((*shape, 3), PAPER, np.uint8) if image is None else image
    pictures = [
        (_boxes_caption(image, annotation), draw_boxes(background, annotation.boxes, catalog)),
        (f"{INPUT}: {_labelled(trail.prediction)}", color_semantic(trail.prediction, catalog)),
    ]
    before = trail.prediction
    for step, after in trail.steps:
        pictures.append((f"{step}: {_amount(before != after)}", color_change(before, after, catalog)))
        before = after
    caption = f"labels: {_labelled(labels.semantic)}"
    if trail.contested.any():
        caption += f", {_percent(trail.contested.mean())} in several boxes"
    final = draw_boundaries(color_instances(labels.semantic, labels.instances, catalog), labels.instances)
    return [
        *pictures,
        (caption, final),
        ("decided last by", color_rules(trail.deciding_rule(), labels.semantic, trail.table)),
    ]


def rule_panel(
    image: RGBImage | None,
    annotation: ImageAnnotation,
    catalog: Catalog,
    trail: AuditTrail,
    labels: PseudoLabels,
    columns: int = 3,
    height: int = 320,
) -> RGBImage:
    """The pictures of `rule_pictures`, whose arguments it takes, as a grid with the legends of rules and classes below.

    There are `columns` pictures in a row, at least 1, each `height` pixels high; a frame of 1024 x 2048 becomes a panel
    of about 1940 pixels width.

    Returns:
        (H', W', 3) uint8 RGB on white.

    Raises:
        ValueError: sizes that do not match, or no column.
    """
    if columns < 1:
        raise ValueError(f"a grid needs at least 1 column, found {columns}")
    pictures = rule_pictures(image, annotation, catalog, trail, labels)
    cells = [panel([cell], height) for cell in pictures]
    widest = max(cell.shape[1] for cell in cells)
    cells = [padded(cell, cell.shape[0], widest + _GAP) for cell in cells]
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    size = max(12, min(18, height // 16))
    rows += _legends(trail.deciding_rule(), trail, annotation, catalog, rows[0].shape[1], size)
    width = max(row.shape[1] for row in rows)
    return np.concatenate([padded(row, row.shape[0] + _GAP, width) for row in rows])


def color_change(before: SemanticMap, after: SemanticMap, catalog: Catalog) -> RGBImage:
    """Colour a map so that what is new in it stands out; maps are (H, W) train ids, 255 where there is no label.

    Returns:
        (H, W, 3) uint8 RGB: the colour of the new class; stripes of the class that was there where the label was
        taken away; what stayed as it was is dimmed. Where little changed, a dark line runs around it, a little apart.
    """
    colors, changed = color_semantic(after, catalog), before != after
    picture = cv2.convertScaleAbs(colors, alpha=DIMMED, beta=PAPER * (1 - DIMMED)).astype(np.uint8, copy=False)
    picture[changed] = colors[changed]
    dropped = changed & (after == IGNORE)
    picture[dropped] = _striped(catalog.palette[before[dropped]], dropped)
    if changed.mean() < _RIM_BELOW:
        _draw_rim(picture, changed)
    return picture


def color_rules(deciding: SemanticMap, semantic: SemanticMap, table: Catalog) -> RGBImage:
    """Colour an (H, W) uint8 map of rules, positions in the table of `weakpan.labels.trail.rule_table`.

    `semantic` are the labels, (H, W) train ids, 255 where there is none.

    Returns:
        (H, W, 3) uint8 RGB: the colour of the rule; stripes of it where the rule left no label; where there never was
        one, the pattern for "no label".
    """
    picture = color_semantic(deciding, table)
    unlabelled = semantic == IGNORE
    dropped = unlabelled & (deciding != table.names.index(INPUT))
    picture[dropped] = _striped(picture[dropped], dropped)
    never = unlabelled & ~dropped
    picture[never] = hatch(*never.shape)[never]
    return picture


def _draw_rim(picture: RGBImage, inside: BoolMask) -> None:
    """Surround pixels with a gap of paper and a dark line; on pictures of few pixels there is no room for that."""
    step = min(inside.shape) // _RIMS_A_SIDE
    if step == 0:
        return
    kernel = np.ones((2 * step + 1,) * 2, np.uint8)
    gap = cv2.dilate(inside.view(np.uint8), kernel)
    line = cv2.dilate(gap, kernel)
    picture[line > gap] = _RIM_COLOR
    picture[(gap > 0) & ~inside] = PAPER


def _striped(colors: npt.NDArray[np.uint8], where: BoolMask) -> npt.NDArray[np.uint8]:
    """Every other stripe of (N, 3) colours pale, in step with the pattern for "no label"; `where` is True N times."""
    # Not white: an area narrower than a stripe would seem to be interrupted.
    pale = (hatch(*where.shape)[..., 0][where] == HATCH_COLORS[0][0])[:, None]
    return np.where(pale, np.rint(colors * _PALE + PAPER * (1 - _PALE)), colors).astype(np.uint8)


def _legends(
    deciding: SemanticMap, trail: AuditTrail, annotation: ImageAnnotation, catalog: Catalog, width: int, size: int
) -> list[RGBImage]:
    """The rules with their share of the pixels, and the classes that occur in any of the pictures."""
    shares = np.bincount(deciding.ravel(), minlength=trail.table.num_classes) / deciding.size
    named = zip(trail.table.classes, shares, strict=True)
    rules = tuple(replace(rule, name=f"{rule.name} {_percent(share)}") for rule, share in named)
    tables = [("decided last by", replace(trail.table, classes=rules))]
    present = {int(v) for m in (trail.prediction, *(m for _, m in trail.steps)) for v in np.unique(m)}
    present = (present | {box.class_id for box in annotation.boxes}) - {IGNORE}
    if present:
        tables.append(("classes", catalog.subset(catalog.name, [catalog.names[i] for i in sorted(present)])))
    parts = []
    for title, table in tables:
        fitting = max(1, width // legend(table, 1, size).shape[1])
        parts += [text_picture(title, size), legend(table, min(fitting, table.num_classes + 1), size)]
    return parts


def _boxes_caption(image: RGBImage | None, annotation: ImageAnnotation) -> str:
    count = sum(box.kind is not BoxKind.STUFF for box in annotation.boxes)
    return f"{'boxes' if image is None else 'image and boxes'} of things: {count}"


def _labelled(semantic: SemanticMap) -> str:
    return f"{_percent((semantic != IGNORE).mean())} labelled"


def _amount(changed: BoolMask) -> str:
    pixels = np.count_nonzero(changed)
    return f"{pixels:,} px changed ({_percent(changed.mean())})" if pixels else "nothing changed"


def _percent(share: float) -> str:
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"
