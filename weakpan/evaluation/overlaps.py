"""How many pixels every true segment shares with every predicted one: all that PQ, mIoU and AP need of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap, runs_of
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, PanopticTruth

Ints = npt.NDArray[np.int64]

# A table over the range of the values is faster than sorting them, as long as it is not much longer than they are.
_MAX_TABLE = 1 << 22


@dataclass(frozen=True)
class SegmentOverlaps:
    """Pixel counts of all pairs of a true and a predicted segment of one image.

    Attributes:
        truth_class: (T,) int64 train ids; 255 for ignored pixels.
        truth_number: (T,) int64 instance numbers; 0 for stuff and for the group region of a class of things.
        predicted_class: (P,) int64 train ids; 255 for pixels without a prediction.
        predicted_number: (P,) int64 segment ids or instance numbers.
        pixels: (T, P) int64.
    """

    truth_class: Ints
    truth_number: Ints
    predicted_class: Ints
    predicted_number: Ints
    pixels: Ints


def prediction_overlaps(
    image_id: str, prediction: PanopticMap, truth: PanopticTruth, catalog: Catalog
) -> SegmentOverlaps:
    """Overlaps of a panoptic prediction with the ground truth.

    Raises:
        DataError: maps of different sizes, a class outside the catalog, or a segment table that does not list exactly
            the ids of the map; each names the image.
    """
    check_sizes(image_id, truth, {"prediction": prediction.ids})
    (semantic, instances, ids), pixels = distinct_pixels(truth.semantic, truth.instances, prediction.ids)
    classes = _classes_of_ids(image_id, prediction, ids)
    check_classes(image_id, "truth", semantic, catalog)
    check_classes(image_id, "prediction", classes, catalog)
    return _tabulate((semantic, _things_only(instances, semantic, catalog)), (classes, ids), pixels)


def label_overlaps(
    image_id: str, semantic: SemanticMap, instances: InstanceMap, truth: PanopticTruth, catalog: Catalog
) -> SegmentOverlaps:
    """Overlaps of a pair of label maps with the ground truth.

    Args:
        image_id: for error messages.
        semantic: (H, W) train ids, 255 unlabelled.
        instances: (H, W) int32, below 1 no instance. Numbers on stuff are dropped: stuff is one segment a class.
        truth: ground truth.
        catalog: class table of both.

    Raises:
        DataError: maps of different sizes or a class outside the catalog; each names the image.
    """
    check_sizes(image_id, truth, {"semantic label": semantic, "instance label": instances})
    columns, pixels = distinct_pixels(truth.semantic, truth.instances, semantic, instances)
    true_class, true_number, label_class, label_number = columns
    check_classes(image_id, "truth", true_class, catalog)
    check_classes(image_id, "label", label_class, catalog)
    return _tabulate(
        (true_class, _things_only(true_number, true_class, catalog)),
        (label_class, np.where(catalog.is_thing[label_class], label_number, 0)),
        pixels,
    )


def distinct_pixels(*maps: npt.NDArray[np.integer[Any]]) -> tuple[tuple[Ints, ...], Ints]:
    """The distinct combinations of values that several maps have at a pixel.

    Args:
        maps: at least one, all of the same shape (H, W), any integer type.

    Returns:
        One int64 column of N values for each map, and (N,) int64 pixel counts.
    """
    starts, lengths = runs_of(*maps)
    code = np.zeros(starts.size, np.int64)
    tables = []
    for values in maps:
        table, rank = _ranks(values.ravel()[starts].astype(np.int64))
        code = code * len(table) + rank
        tables.append(table)
    code, rank = _ranks(code)
    # Sums of whole numbers are exact in float64 up to 2**53.
    pixels = np.bincount(rank, weights=lengths, minlength=len(code)).astype(np.int64)
    columns: list[Ints] = []
    for table in reversed(tables):
        code, position = np.divmod(code, max(len(table), 1))
        columns.append(table[position])
    return tuple(reversed(columns)), pixels


def check_sizes(image_id: str, truth: PanopticTruth, maps: dict[str, npt.NDArray[np.integer[Any]]]) -> None:
    """Raise DataError unless all maps have the size of the ground truth."""
    height, width = truth.semantic.shape
    for name, values in {"instance map of the truth": truth.instances, **maps}.items():
        if values.shape != (height, width):
            found = " x ".join(map(str, values.shape))
            raise DataError(
                f"image {image_id}: the {name} is {found} and the truth {height} x {width} (height x width); "
                "scale it to the size of the truth before scoring"
            )


def check_classes(image_id: str, what: str, classes: Ints, catalog: Catalog) -> None:
    """Raise DataError if there is a value that is neither a train id of the catalog nor 255."""
    unknown = classes[((classes < 0) | (classes >= catalog.num_classes)) & (classes != IGNORE)]
    if unknown.size:
        raise DataError(
            f"image {image_id}: the {what} holds train id {unknown[0]}; class table {catalog.name!r} has 0 to "
            f"{catalog.num_classes - 1}, and {IGNORE} for ignored pixels"
        )


def _classes_of_ids(image_id: str, prediction: PanopticMap, ids: Ints) -> Ints:
    class_of = {segment.segment_id: segment.class_id for segment in prediction.segments}
    listed, drawn = set(class_of), set(ids.tolist()) - {0}
    if len(class_of) < len(prediction.segments):
        raise DataError(f"image {image_id}: the prediction lists a segment id twice; ids are unique in an image")
    if listed != drawn:
        segment_id = min(listed ^ drawn)
        found = "is listed and has no pixel" if segment_id in listed else "is in the map and not listed"
        raise DataError(
            f"image {image_id}: predicted segment {segment_id} {found}; a prediction lists exactly the ids of its map"
        )
    return np.array([class_of.get(int(i), IGNORE) for i in ids], np.int64)


def _things_only(instances: Ints, semantic: Ints, catalog: Catalog) -> Ints:
    # Ignored pixels keep their number: AP tells ignored regions from instances of ignored classes.
    return np.where(catalog.is_thing[semantic] | (semantic == IGNORE), instances, 0)


def _tabulate(truth: tuple[Ints, Ints], predicted: tuple[Ints, Ints], pixels: Ints) -> SegmentOverlaps:
    (truth_class, truth_number), rows = _distinct_pairs(*truth)
    (predicted_class, predicted_number), columns = _distinct_pairs(*predicted)
    shape = len(truth_class), len(predicted_class)
    cells = rows * shape[1] + columns
    table = np.bincount(cells, weights=pixels, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)
    return SegmentOverlaps(truth_class, truth_number, predicted_class, predicted_number, table)


def _distinct_pairs(classes: Ints, numbers: Ints) -> tuple[tuple[Ints, Ints], Ints]:
    # Classes fit in 8 bits, so class and number fit together into 64.
    keys, ranks = _ranks(numbers * 256 + classes)
    return (keys % 256, keys // 256), ranks


def _ranks(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values in ascending order, and for each value its position among them."""
    low = int(values.min(initial=0))
    span = int(values.max(initial=0)) - low + 1
    if span > min(_MAX_TABLE, 4 * values.size + 65536):
        distinct, rank = np.unique(values, return_inverse=True)
        return distinct, rank
    seen = np.zeros(span, bool)
    seen[values - low] = True
    return np.flatnonzero(seen) + low, (np.cumsum(seen) - 1)[values - low]
