"""What the labels of one image are made from, and the checks that it fits together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, NO_THING, FloatMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.data.crops import Crop
from weakpan.labels.pixels import table_marking, translate
from weakpan.labels.rule import MASKS, PROBABILITIES, SCORE, SEEDS, TAGS

_Map = TypeVar("_Map", SemanticMap, FloatMap)


@dataclass(frozen=True)
class LabelInput:
    """Everything that the labels of one image are made from.

    Attributes:
        prediction: (H, W) uint8 train ids, 255 ignored; in round 0 the label map of the CAMs.
        score: (H, W) float32, softmax maximum, 0..1; None where no score threshold applies.
        masks: (H, W) uint8 masks in boxes: the train id of a thing, 254 no thing here, 255 undecided; None where
            nothing is merged.
        annotation: boxes and tags.
        seeds: (H, W) uint8 train ids, 255 ignored; None unless a rule needs them.
        probabilities: (C, H, W) float32, 0..1; None unless a rule needs them.
    """

    prediction: SemanticMap
    score: FloatMap | None
    masks: SemanticMap | None
    annotation: ImageAnnotation
    seeds: SemanticMap | None = None
    probabilities: FloatMap | None = None


def check_input(inp: LabelInput, needs: Collection[str], catalog: Catalog, crops: Sequence[Crop]) -> None:
    """Refuse input that rules cannot work on; what no rule needs is not looked at.

    Raises:
        DataError: a missing map, a wrong shape or dtype, a value that is no class, a box outside the image or of the
            wrong kind, or tags that do not fit the crop grid. The message starts with the image id.
    """
    annotation = inp.annotation
    where = f"labels of {annotation.image_id}"
    _check_classes(f"{where}: prediction", inp.prediction, annotation, catalog)
    if SCORE in needs:
        _check_map(f"{where}: score", inp.score, (annotation.height, annotation.width), np.float32)
    if MASKS in needs:
        masks = _check_map(f"{where}: masks", inp.masks, (annotation.height, annotation.width), np.uint8)
        is_mask_value = catalog.is_thing.copy()
        is_mask_value[[NO_THING, IGNORE]] = True
        _check_values(f"{where}: masks", masks, is_mask_value, f"train ids of things, {NO_THING} (no thing) and 255")
    if SEEDS in needs:
        _check_classes(f"{where}: seeds", inp.seeds, annotation, catalog)
    if PROBABILITIES in needs:
        size = catalog.num_classes, annotation.height, annotation.width
        _check_map(f"{where}: probabilities", inp.probabilities, size, np.float32)
    if TAGS in needs and len(annotation.tags) != len(crops):
        raise DataError(
            f"{where}: {len(annotation.tags)} lists of tags, but the crop grid has {len(crops)} crops on "
            f"{annotation.height} x {annotation.width}; use the grid that the weak annotations were made with"
        )
    _check_boxes(where, annotation, catalog)


def _check_classes(what: str, values: SemanticMap | None, annotation: ImageAnnotation, catalog: Catalog) -> None:
    found = _check_map(what, values, (annotation.height, annotation.width), np.uint8)
    is_class = np.arange(256) < catalog.num_classes
    is_class[IGNORE] = True
    _check_values(what, found, is_class, f"train ids below {catalog.num_classes} and 255")


def _check_map(what: str, values: _Map | None, shape: tuple[int, ...], dtype: type[np.generic]) -> _Map:
    if values is None:
        raise DataError(f"{what} is missing; provide it, or switch the rule off that needs it (labels.rules)")
    if values.shape != shape:
        raise DataError(f"{what} has shape {values.shape}; class table and annotation say {shape}")
    if values.dtype != dtype:
        raise DataError(f"{what} is of dtype {values.dtype}; expected {np.dtype(dtype)}")
    return values


def _check_values(what: str, values: SemanticMap, is_valid: npt.NDArray[np.bool_], expected: str) -> None:
    if translate(values, table_marking(~is_valid)).any():
        found = [int(v) for v in np.unique(values) if not is_valid[v]]
        raise DataError(f"{what} holds {', '.join(map(str, found[:8]))}; expected {expected}")


def _check_boxes(where: str, annotation: ImageAnnotation, catalog: Catalog) -> None:
    for box in annotation.boxes:
        corners = (box.xmin, box.ymin, box.xmax, box.ymax)
        if not (0 <= box.xmin <= box.xmax < annotation.width and 0 <= box.ymin <= box.ymax < annotation.height):
            raise DataError(
                f"{where}: box {corners} is empty or outside its {annotation.width} x {annotation.height} image; "
                "coordinates are 0-based and inclusive"
            )
        if not 0 <= box.class_id < catalog.num_classes:
            raise DataError(f"{where}: box {corners} is of class {box.class_id}; {catalog.name} has no such train id")
        if (box.kind is BoxKind.STUFF) == bool(catalog.is_thing[box.class_id]):
            raise DataError(
                f"{where}: box {corners} of class {catalog.names[box.class_id]} cannot be of kind {box.kind}"
            )
