"""MATLAB files (versions 5 to 7): one variable out, one variable in.

SciPy reads structs and writes everything. It trusts what it reads so far that one damaged byte can take the process
down: a struct's checksum (an uncompressed one has none) is therefore compared before SciPy sees it, and plain matrices
and cell arrays of them are decoded here, which also saves copies. Layout: "MAT-File Format", MathWorks, chapter
"Level 5 MAT-File Format".
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from weakpan.basics.errors import DataError
from weakpan.storage.files import write_bytes_atomically

_HEADER = 128
_TAG = 8
_MATRIX, _COMPRESSED = 14, 15
_START = 1024
"""Bytes at the start of a variable in which its class and its name (63 characters at most) lie."""

_CLASSES = (
    "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64",
)  # fmt: skip
"""MATLAB's classes, which are numbered from 1."""

_FLOATS = ("single", "double")
_NUMBERS = (*_FLOATS, "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

_COMPLEX_FLAG = 0x0800
_STORED_AS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's name of each data type that numbers are stored in."""


@dataclass(frozen=True)
class _Variable:
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


def read_matrix(path: Path, name: str) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
    """Read a matrix of real numbers from a MATLAB file; other variables are not unpacked.

    Args:
        path: of the file.
        name: of the variable, a single or double.

    Returns:
        Its values in MATLAB's shape, float32 or float64, column-major, read-only.

    Raises:
        DataError: a missing, truncated or damaged file, one of version 7.3 (HDF5) or 4, no such variable, or one of
            another class.
    """
    values = _read_numbers(path, name, _FLOATS)
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    return values.astype(np.float64, copy=False)


def read_numbers(path: Path, name: str) -> npt.NDArray[np.number]:
    """Read a matrix of real numbers of any class from a MATLAB file; other variables are not unpacked.

    Args:
        path: of the file.
        name: of the variable, of a class of whole numbers, single or double.

    Returns:
        Its values in MATLAB's shape, column-major, read-only: float32 for a single, float64 for a double, and for whole
        numbers the dtype that they are stored in.

    Raises:
        DataError: as `read_matrix`.
    """
    return _read_numbers(path, name, _NUMBERS)


def read_cells(path: Path, name: str) -> list[npt.NDArray[np.number]]:
    """Read a cell array of matrices of real numbers from a MATLAB file; other variables are not unpacked.

    Args:
        path: of the file.
        name: of the variable, a cell array of any shape.

    Returns:
        The matrices in MATLAB's (column-major) order, each as from `read_numbers`; (0, 0) for an empty cell.

    Raises:
        DataError: as `read_matrix`; or a cell that holds no matrix of real numbers.
    """
    _, order, variable, content = _read(path, name, ("cell",))
    cells: list[npt.NDArray[np.number]] = []
    at = variable.content_at
    try:
        for number in range(1, math.prod(variable.shape) + 1):
            kind, size = struct.unpack_from(f"{order}II", content, at)
            end = at + 8 + size
            if kind != _MATRIX or end > len(content):
                raise ValueError(f"no whole matrix in {name}{{{number}}}")
            cells.append(_cell(f"{path}: {name}{{{number}}}", content[at:end], order))
            at = end
    except (ValueError, struct.error) as error:
        raise _damaged(path, error) from error
    return cells


def read_struct(path: Path, name: str) -> npt.NDArray[np.void]:
    """Read a struct from a MATLAB file; other variables are not unpacked.

    Args:
        path: of the file.
        name: of the variable.

    Returns:
        What `scipy.io.loadmat` makes of it: an array of records, whose fields are arrays again.

    Raises:
        DataError: as `read_matrix`.
    """
    header, _, _, content = _read(path, name, ("struct",))
    try:
        value: npt.NDArray[np.void] = scipy.io.loadmat(io.BytesIO(header + content), variable_names=[name])[name]
    # SciPy meets what it cannot read with exceptions of every kind.
    except Exception as error:
        raise _damaged(path, error) from error
    if not isinstance(value, np.ndarray):  # a text, which says what SciPy could not read
        raise _damaged(path, value)
    return value


def write_variable(path: Path, name: str, value: Any) -> None:
    """Write a MATLAB file (version 7, compressed) of one variable, atomically.

    Args:
        path: of the file.
        name: of the variable.
        value: anything that `scipy.io.savemat` takes; dictionaries become structs.
    """
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {name: value}, do_compression=False)
    content = buffer.getvalue()
    # Level 1 takes a third of the time of SciPy's own level 6 for a tenth more bytes of scores.
    packed = zlib.compress(content[_HEADER:], 1)
    write_bytes_atomically(path, content[:_HEADER] + struct.pack("=II", _COMPRESSED, len(packed)) + packed)


def _read_numbers(path: Path, name: str, kinds: tuple[str, ...]) -> npt.NDArray[np.number]:
    _, order, variable, content = _read(path, name, kinds)
    try:
        return _numbers(f"{path}: {name}", variable, content, order)
    except (ValueError, struct.error) as error:
        raise _damaged(path, error) from error


def _cell(where: str, element: memoryview, order: str) -> npt.NDArray[np.number]:
    """The matrix in a cell, whose element starts with its own tag; `where` names it in errors."""
    if len(element) == _TAG:  # what MATLAB writes for a cell that nothing was ever put into
        return np.zeros((0, 0))
    variable = _describe(element, order)
    if variable.kind not in _NUMBERS:
        raise DataError(f"{where} is of class {variable.kind}; expected a matrix of numbers")
    return _numbers(where, variable, element, order)


def _numbers(where: str, variable: _Variable, content: memoryview, order: str) -> npt.NDArray[np.number]:
    """Decode a matrix; MATLAB stores numbers in the smallest type that holds them, whatever their class."""
    if variable.is_complex:
        raise DataError(f"{where} holds complex numbers; expected a matrix of real numbers")
    kind, size, at = _tag(content, variable.content_at, order)
    if kind not in _STORED_AS:
        raise ValueError(f"numbers of the unknown type {kind}")
    stored = np.frombuffer(content[at : at + size], f"{order}{_STORED_AS[kind]}")
    if variable.kind in _FLOATS:
        stored = stored.astype("f4" if variable.kind == "single" else "f8", copy=False)
    return stored.reshape(variable.shape, order="F")


def _read(path: Path, name: str, kinds: tuple[str, ...]) -> tuple[bytes, str, _Variable, memoryview]:
    """Header of the file, byte order, and the variable called `name` with its unpacked bytes."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a MATLAB file with variable {name!r}") from None
    except OSError as error:
        raise DataError(f"{path}: not readable ({error}); expected a MATLAB file with variable {name!r}") from error
    order = _byte_order(path, content)
    others = []
    try:
        for is_packed, element in _elements(content, order):
            start = zlib.decompressobj().decompress(element, _START) if is_packed else element
            variable = _describe(start, order)
            if variable.name == name:
                break
            others.append(variable.name)
        else:
            raise DataError(f"{path}: no variable {name!r} in it; found {', '.join(map(repr, others)) or 'none'}")
        if variable.kind not in kinds:
            raise DataError(f"{path}: {name} is of class {variable.kind}; expected {' or '.join(kinds)}")
        return content[:_HEADER], order, variable, _unpack(element, start, order) if is_packed else element
    except (ValueError, struct.error, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: object) -> DataError:
    return DataError(f"{path}: a damaged or truncated MATLAB file ({error}); write it again")


def _byte_order(path: Path, content: bytes) -> str:
    """`<` or `>`, as the struct module says it; DataError for a file of another version."""
    if content.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise DataError(f"{path}: a MATLAB 7.3 (HDF5) file, which is not read; save it with -v7 in MATLAB")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
    if order is None:
        raise DataError(
            f"{path}: not a MATLAB file of version 5 to 7, or truncated; write it again (save with -v7 in MATLAB)"
        )
    return order


def _elements(content: bytes, order: str) -> Iterator[tuple[bool, memoryview]]:
    """The variables in their order: whether compressed, and the bytes (of an uncompressed one with its tag)."""
    view, at = memoryview(content), _HEADER
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        end = at + 8 + size
        if kind not in (_MATRIX, _COMPRESSED) or end > len(content):
            raise ValueError(f"no whole variable at byte {at}")
        yield kind == _COMPRESSED, view[at + 8 if kind == _COMPRESSED else at : end]
        at = end


def _tag(content: bytes | memoryview, at: int, order: str) -> tuple[int, int, int]:
    """Data type, size in bytes, and where the data begins, of the element at byte `at`."""
    kind, size = struct.unpack_from(f"{order}II", content, at)
    # Four bytes or less share the eight bytes of their tag, with the size in the upper half of its first word.
    return (kind & 0xFFFF, kind >> 16, at + 4) if kind >> 16 else (kind, size, at + 8)


def _describe(start: bytes | memoryview, order: str) -> _Variable:
    """Read the elements that every variable starts with: its own tag, flags, dimensions and name."""
    (flags,) = struct.unpack_from(f"{order}I", start, 16)
    _, size, at = _tag(start, 24, order)
    shape = struct.unpack_from(f"{order}{size // 4}I", start, at)
    _, length, name_at = _tag(start, _padded(at + size), order)
    name = bytes(start[name_at : name_at + length]).decode("latin-1")
    number = flags & 0xFF
    kind = _CLASSES[number - 1] if 1 <= number <= len(_CLASSES) else f"number {number}"
    return _Variable(name, kind, bool(flags & _COMPLEX_FLAG), shape, _padded(name_at + length))


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _unpack(element: memoryview, start: bytes | memoryview, order: str) -> memoryview:
    """Unpack a compressed variable; fails where the checksum does."""
    (size,) = struct.unpack_from(f"{order}I", start, 4)
    # A buffer of the right size saves a third of the time; no byte of deflate stands for more than 1032.
    return memoryview(zlib.decompress(element, bufsize=min(8 + size, 1032 * len(element))))
