"""Which classes a pixel can have at all, as far as boxes and tags tell.

A pixel can only be of a class that is a tag of every crop it lies in, and of a class of things only inside a box of
that class (group boxes count). For every pixel that has a class of the table this is exact knowledge, not an estimate:
it narrows most pixels to a few classes, and training and relabelling may use it where no label is trusted. Pixels of no
class (void) are not marked by tags and get a set like the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.data.crops import Crop, CropGrid

_BITS = 31
"""Classes packed into one integer at a time; the rest of 64 bits holds what was packed before."""


@dataclass(frozen=True)
class CandidateSets:
    """For every pixel a set of classes.

    Attributes:
        index: (H, W) int32, row of `table` for each pixel.
        table: (S, C) bool, one row a set. Row 0 allows every class: padding, and pixels whose tags and boxes leave no
            class, such as void regions.
    """

    index: npt.NDArray[np.int32]
    table: npt.NDArray[np.bool_]


def candidate_sets(
    annotation: ImageAnnotation,
    grid: CropGrid,
    catalog: Catalog,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> CandidateSets:
    """The candidate sets of a view of one image.

    Crops and boxes are rectangles, so a scaled, cropped or flipped view needs only the source row (H,) and the source
    column (W,) of its pixels, -1 for padding. Rows between two edges of rectangles are alike, columns too, so that sets
    are found for one of each and spread from there.
    """
    crops = grid.crops(annotation.height, annotation.width)
    boxes = [box for box in annotation.boxes if box.kind is not BoxKind.STUFF]
    some_rows, like_row = _unlike(
        rows, [*(t.top for t in crops), *(t.bottom for t in crops), *(y for b in boxes for y in (b.ymin, b.ymax + 1))]
    )
    some_columns, like_column = _unlike(
        columns,
        [*(t.left for t in crops), *(t.right for t in crops), *(x for b in boxes for x in (b.xmin, b.xmax + 1))],
    )
    sets = _distinct(_allowed(annotation, crops, catalog, some_rows, some_columns))
    return CandidateSets(sets.index.take(like_row, axis=0).take(like_column, axis=1), sets.table)


def whole_image_sets(annotation: ImageAnnotation, grid: CropGrid, catalog: Catalog) -> CandidateSets:
    """The candidate sets of a whole image at its own size; arguments as for `candidate_sets`."""
    return candidate_sets(annotation, grid, catalog, np.arange(annotation.height), np.arange(annotation.width))


def _unlike(values: npt.NDArray[np.int64], edges: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """One of the values between each two edges that have any, and for every value which one it is like."""
    # Padding, -1, ends at 0.
    between = np.searchsorted(np.unique([0, *edges]), values, side="right")
    _, first, like = np.unique(between, return_index=True, return_inverse=True)
    return values[first], like


def _allowed(
    annotation: ImageAnnotation,
    crops: Sequence[Crop],
    catalog: Catalog,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """(C, H, W), the classes of each pixel."""
    classes, things = catalog.num_classes, list(catalog.thing_ids)
    allowed = np.ones((classes, len(rows), len(columns)), bool)
    for crop, tags in zip(crops, annotation.tag_matrix(classes), strict=True):
        inside = np.ix_(_between(rows, crop.top, crop.bottom), _between(columns, crop.left, crop.right))
        for class_id in np.flatnonzero(~tags):
            allowed[class_id][inside] = False
    in_box = np.zeros((len(things), len(rows), len(columns)), bool)
    for box in annotation.boxes:
        if box.kind is not BoxKind.STUFF:
            inside = np.ix_(_between(rows, box.ymin, box.ymax + 1), _between(columns, box.xmin, box.xmax + 1))
            in_box[things.index(box.class_id)][inside] = True
    allowed[things] &= in_box
    allowed[:, rows < 0] = True
    allowed[:, :, columns < 0] = True
    return allowed


def _between(values: npt.NDArray[np.int64], start: int, stop: int) -> npt.NDArray[np.intp]:
    return np.flatnonzero((values >= start) & (values < stop))


def _distinct(allowed: npt.NDArray[np.bool_]) -> CandidateSets:
    """Number the distinct columns of a (C, H, W) stack."""
    classes, *size = allowed.shape
    index = np.zeros(allowed[0].size, np.int64)
    first = np.zeros(1, np.int64)
    for start in range(0, classes, _BITS):
        chunk = allowed[start : start + _BITS].reshape(-1, index.size)
        code = index << _BITS
        for bit, plane in enumerate(chunk):
            code |= plane.astype(np.int64) << bit
        _, first, index = np.unique(code, return_index=True, return_inverse=True)
    table = allowed.reshape(classes, -1)[:, first].T.copy()
    everything = np.ones((1, classes), bool)
    some = table.any(axis=1)
    rows = np.where(some, np.cumsum(some), 0)
    return CandidateSets(rows[index].reshape(size).astype(np.int32), np.concatenate([everything, table[some]]))
