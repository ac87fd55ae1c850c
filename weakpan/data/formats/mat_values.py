"""Values in MATLAB files: what the bytes of a variable stand for. Nothing outside these bytes is looked at.

Layout: "MAT-File Format", MathWorks, chapter "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weakpan.basics.errors import DataError

TAG = 8
MATRIX = 14

_CLASSES = (
    "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64",
)  # fmt: skip
"""MATLAB's classes, which are numbered from 1."""

FLOATS = ("single", "double")
NUMBERS = (*FLOATS, "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

_COMPLEX_FLAG = 0x0800
_STORED_AS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's name of each data type that numbers are stored in."""


@dataclass(frozen=True)
class Variable:
    """The beginning of a variable.

    Attributes:
        name: of it.
        kind: MATLAB's class.
        is_complex: whether it holds complex numbers.
        shape: MATLAB's dimensions.
        content_at: where its content begins in its bytes, behind the name.
    """

    name: str
    kind: str
    is_complex: bool
    shape: tuple[int, ...]
    content_at: int


def read_value(where: str, element: memoryview, order: str) -> Any:
    """Decode a variable, or what lies in a cell or field; the element starts with its own tag, `where` names it."""
    if len(element) == TAG:  # what MATLAB writes for a cell that nothing was ever put into
        return np.zeros((0, 0))
    variable = describe(element, order)
    if variable.kind in NUMBERS:
        return _numbers(where, variable, element, order)
    if variable.kind == "char":
        return _text(variable, element, order)
    count = math.prod(variable.shape)
    if variable.kind == "cell":
        inside = _inside(element, variable.content_at, order)
        return [read_value(f"{where}{{{k}}}", next(inside), order) for k in range(1, count + 1)]
    if variable.kind != "struct":
        raise DataError(f"{where} is of class {variable.kind}, which is not read")
    names, at = _field_names(element, variable.content_at, order)
    if count * max(1, len(names)) > len(element):
        raise ValueError(f"more structs than bytes in {where}")
    inside = _inside(element, at, order)
    return [{name: read_value(f"{where}.{name}", next(inside), order) for name in names} for _ in range(count)]


def _inside(content: memoryview, at: int, order: str) -> Iterator[memoryview]:
    """The matrices in a cell array or struct, each with its tag; ValueError where there are no more."""
    while True:
        kind, size = struct.unpack_from(f"{order}II", content, at)
        end = at + TAG + size
        if kind != MATRIX or end > len(content):
            raise ValueError(f"no whole matrix at byte {at}")
        yield content[at:end]
        at = end


def _field_names(content: memoryview, at: int, order: str) -> tuple[list[str], int]:
    """Names of the fields of a struct, and where its values begin."""
    _, size, at = _tag(content, at, order)
    (length,) = struct.unpack_from(f"{order}I", content, at)
    _, total, names_at = _tag(content, _padded(at + size), order)
    packed = bytes(content[names_at : names_at + total])
    if not length or len(packed) != total:
        raise ValueError("no whole names of fields")
    names = [packed[k : k + length].split(b"\0")[0].decode("latin-1") for k in range(0, total, length)]
    return names, _padded(names_at + total)


def _text(variable: Variable, content: memoryview, order: str) -> str:
    """A line of text, which MATLAB stores as UTF-8 or in one or two bytes a letter."""
    kind, size, at = _tag(content, variable.content_at, order)
    if math.prod(variable.shape) and variable.shape[0] != 1:
        raise ValueError("text of several lines")
    wide = "le" if order == "<" else "be"
    coded = {1: "latin-1", 2: "latin-1", 4: f"utf-16-{wide}", 16: "utf-8", 17: f"utf-16-{wide}", 18: f"utf-32-{wide}"}
    if kind not in coded:
        raise ValueError(f"text of the unknown type {kind}")
    return bytes(content[at : at + size]).decode(coded[kind])


def _numbers(where: str, variable: Variable, content: memoryview, order: str) -> npt.NDArray[np.number]:
    """Decode a matrix; MATLAB stores numbers in the smallest type that holds them, whatever their class."""
    if variable.is_complex:
        raise DataError(f"{where} holds complex numbers; expected a matrix of real numbers")
    kind, size, at = _tag(content, variable.content_at, order)
    if kind not in _STORED_AS:
        raise ValueError(f"numbers of the unknown type {kind}")
    stored = np.frombuffer(content[at : at + size], f"{order}{_STORED_AS[kind]}")
    if variable.kind in FLOATS:
        stored = stored.astype("f4" if variable.kind == "single" else "f8", copy=False)
    return stored.reshape(variable.shape, order="F")


def _tag(content: bytes | memoryview, at: int, order: str) -> tuple[int, int, int]:
    """Data type, size in bytes, and where the data begins, of the element at byte `at`."""
    kind, size = struct.unpack_from(f"{order}II", content, at)
    # Four bytes or less share the eight bytes of their tag, with the size in the upper half of its first word.
    return (kind & 0xFFFF, kind >> 16, at + 4) if kind >> 16 else (kind, size, at + 8)


def describe(start: bytes | memoryview, order: str) -> Variable:
    """Read the elements that every variable starts with: its own tag, flags, dimensions and name."""
    (flags,) = struct.unpack_from(f"{order}I", start, 16)
    _, size, at = _tag(start, 24, order)
    shape = struct.unpack_from(f"{order}{size // 4}I", start, at)
    if len(shape) < 2:
        raise ValueError(f"{len(shape)} dimensions")
    _, length, name_at = _tag(start, _padded(at + size), order)
    name = bytes(start[name_at : name_at + length]).decode("latin-1")
    number = flags & 0xFF
    kind = _CLASSES[number - 1] if 1 <= number <= len(_CLASSES) else f"number {number}"
    return Variable(name, kind, bool(flags & _COMPLEX_FLAG), shape, _padded(name_at + length))


def _padded(size: int) -> int:
    return -(-size // 8) * 8
