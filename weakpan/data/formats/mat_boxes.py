"""Boxes in the MATLAB files of the authors' released code.

`dets.annotation.object(k)` is a struct array with `name`, `bndbox.{xmin,ymin,xmax,ymax}` (pixels, 0-based and
inclusive, as decimal text) and `is_grp`, `is_stuff` ("0" or "1"). `dets.annotation` is empty for an image without
boxes. The order of the boxes counts: instance ids follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.formats.mat_file import read_struct, write_variable

VARIABLE = "dets"

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FIELDS = ("name", "bndbox", "is_grp", "is_stuff")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}(\.0*)?", re.ASCII)


def read_mat_boxes(path: Path, catalog: Catalog, size: tuple[int, int]) -> tuple[Box, ...]:
    """The boxes of one image of a size (height, width), in the order of the file; class names have to agree.

    Raises:
        DataError: a missing or damaged file, a missing field, a class that is not in the table, a coordinate that is no
            whole number, a box outside its image, or a flag at odds with the class.
    """
    where = f"{path}: {VARIABLE}"
    annotation = _field(read_struct(path, VARIABLE), "annotation", where)
    if _is_empty(annotation):
        return ()
    objects = _field(annotation, "object", f"{where}.annotation")
    if _is_empty(objects):
        return ()
    entries = objects if isinstance(objects, list) else [objects]
    return tuple(_read_box([entry], catalog, size, f"{path}: object({k})") for k, entry in enumerate(entries, start=1))


def write_mat_boxes(path: Path, boxes: Iterable[Box], catalog: Catalog) -> None:
    """Write the boxes of one image, in the order that instance ids follow, for the released code, atomically.

    Raises:
        DataError: a class id outside the table, or a kind at odds with the class.
    """
    boxes = list(boxes)
    objects = np.zeros((1, len(boxes)), dtype=[(name, object) for name in _FIELDS])
    for k, box in enumerate(boxes):
        where = f"{path}: box {k}"
        if not 0 <= box.class_id < catalog.num_classes:
            raise DataError(f"{where}: class table {catalog.name!r} has no train id {box.class_id}")
        _check_kind(box, catalog, where)
        corners = {corner: str(getattr(box, corner)) for corner in _CORNERS}
        is_group, is_stuff = (str(int(box.kind is kind)) for kind in (BoxKind.GROUP, BoxKind.STUFF))
        objects[0, k] = (catalog.names[box.class_id], corners, is_group, is_stuff)
    write_variable(path, VARIABLE, {"annotation": {"object": objects} if boxes else np.zeros((0, 0))})


def _read_box(entry: Any, catalog: Catalog, size: tuple[int, int], where: str) -> Box:
    name = _text(entry, "name", where)
    where = f"{where} ({name})"
    try:
        class_id = catalog.train_id_named(name)
    except DataError as error:
        raise DataError(f"{where}: {error}; correct the file, or choose another table with data.classes") from error
    corners = _field(entry, "bndbox", where)
    xmin, ymin, xmax, ymax = (_coordinate(corners, corner, f"{where}: bndbox") for corner in _CORNERS)
    height, width = size
    if not (0 <= xmin <= xmax < width and 0 <= ymin <= ymax < height):
        raise DataError(
            f"{where}: box {[xmin, ymin, xmax, ymax]} is empty or outside its {height} x {width} (height x width) "
            "image; coordinates are pixels, 0-based and inclusive"
        )
    is_group, is_stuff = (_flag(entry, flag, where) for flag in ("is_grp", "is_stuff"))
    if is_group and is_stuff:
        raise DataError(f"{where}: both is_grp and is_stuff are 1; a group is of things")
    kind = BoxKind.GROUP if is_group else BoxKind.STUFF if is_stuff else BoxKind.INSTANCE
    box = Box(class_id, xmin, ymin, xmax, ymax, kind)
    _check_kind(box, catalog, where)
    return box


def _check_kind(box: Box, catalog: Catalog, where: str) -> None:
    if (box.kind is BoxKind.STUFF) == bool(catalog.is_thing[box.class_id]):
        of = "things" if catalog.is_thing[box.class_id] else "stuff"
        raise DataError(
            f"{where}: {catalog.names[box.class_id]} is a class of {of} in class table {catalog.name!r}, "
            f"its box cannot be of kind {box.kind}"
        )


def _is_empty(value: Any) -> bool:
    return value.size == 0 if isinstance(value, np.ndarray) else value == []


def _field(value: Any, name: str, where: str) -> Any:
    """A field of a single struct."""
    found = value[0] if isinstance(value, list) and len(value) == 1 else None
    if not isinstance(found, dict) or name not in found:
        what = f"fields {', '.join(found)}" if isinstance(found, dict) else "no struct"
        raise DataError(f"{where}: no field {name!r} (found {what}); expected the layout of the released code")
    return found[name]


def _text(entry: Any, name: str, where: str) -> str:
    value = _field(entry, name, where)
    if not isinstance(value, str):
        raise DataError(f"{where}: {name} is not text; the released code stores names and numbers as text, like '12'")
    return value


def _coordinate(corners: Any, name: str, where: str) -> int:
    text = _number_as_text(corners, name, where)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise DataError(f"{where}.{name} is {text!r}; expected a whole number of pixels as text, like '12'")
    return int(text.partition(".")[0])


def _flag(entry: Any, name: str, where: str) -> bool:
    text = _number_as_text(entry, name, where)
    if text not in ("0", "1"):
        raise DataError(f"{where}: {name} is {text!r}; expected '0' or '1'")
    return text == "1"


def _number_as_text(entry: Any, name: str, where: str) -> str:
    """A number, which the released code stores as text and other programs as a number or a truth value."""
    value = _field(entry, name, where)
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "biuf":
        number = float(value.item())
        return str(int(number)) if number.is_integer() else str(number)
    return _text(entry, name, where)
