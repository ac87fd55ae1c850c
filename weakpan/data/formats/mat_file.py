"""MATLAB files (versions 5 to 7): one variable out, one variable in.

SciPy writes. It does not read: it trusts what it reads so far that one damaged byte of an uncompressed matrix, cell
array or struct takes the process down, and to compare the checksum of compressed ones first costs it two thirds more
time on scores. Layout: "MAT-File Format", MathWorks, chapter "Level 5 MAT-File Format".
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_values import MATRIX, NUMBERS, describe, read_value
from weakpan.storage.files import write_bytes_atomically

_HEADER = 128
_COMPRESSED = 15
_START = 1024
"""Bytes at the start of a variable in which its class and its name (63 characters at most) lie."""


def read_numbers(path: Path, name: str, kinds: tuple[str, ...] = NUMBERS) -> npt.NDArray[np.number]:
    """Read a matrix of real numbers from a MATLAB file; other variables are not unpacked.

    Returns:
        The values of the variable in MATLAB's shape, column-major, read-only: float32 for a single, float64 for a
        double, and for whole numbers the dtype that they are stored in.

    Raises:
        DataError: a missing, truncated or damaged file, one of version 7.3 (HDF5) or 4, no such variable, or one of
            another class than `kinds`.
    """
    values: npt.NDArray[np.number] = _read_value(path, name, kinds)
    return values


def read_cells(path: Path, name: str) -> list[npt.NDArray[np.number]]:
    """Read a cell array of matrices of real numbers from a MATLAB file; other variables are not unpacked.

    Returns:
        The matrices in MATLAB's (column-major) order, each as from `read_numbers`; (0, 0) for an empty cell.

    Raises:
        DataError: as `read_numbers`; or a cell that holds no matrix of real numbers.
    """
    cells: list[Any] = _read_value(path, name, ("cell",))
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, np.ndarray):
            what = "char" if isinstance(cell, str) else "cell or struct"
            raise DataError(f"{path}: {name}{{{number}}} is of class {what}; expected a matrix of numbers")
    return cells


def read_struct(path: Path, name: str) -> list[dict[str, Any]]:
    """Read a struct from a MATLAB file; other variables are not unpacked.

    Returns:
        The structs of the array in MATLAB's (column-major) order. A field is a list again if it is a struct or a cell
        array, text, or a matrix as from `read_numbers`.

    Raises:
        DataError: as `read_numbers`.
    """
    structs: list[dict[str, Any]] = _read_value(path, name, ("struct",))
    return structs


def write_variable(path: Path, name: str, value: Any) -> None:
    """Write a MATLAB file (version 7, compressed) of one variable, atomically.

    The value is anything that `scipy.io.savemat` takes; dictionaries become structs.
    """
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {name: value}, do_compression=False)
    content = buffer.getvalue()
    # Level 1 takes a third of the time of SciPy's own level 6 for a tenth more bytes of scores.
    packed = zlib.compress(content[_HEADER:], 1)
    write_bytes_atomically(path, content[:_HEADER] + struct.pack("=II", _COMPRESSED, len(packed)) + packed)


def _read_value(path: Path, name: str, kinds: tuple[str, ...]) -> Any:
    order, content = _read(path, name, kinds)
    try:
        return read_value(f"{path}: {name}", content, order)
    except (ValueError, RecursionError, struct.error) as error:
        raise _damaged(path, error) from error


def _read(path: Path, name: str, kinds: tuple[str, ...]) -> tuple[str, memoryview]:
    """Byte order of the file, and the unpacked bytes of the variable called `name`."""
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
            variable = describe(start, order)
            if variable.name == name:
                break
            others.append(variable.name)
        else:
            raise DataError(f"{path}: no variable {name!r} in it; found {', '.join(map(repr, others)) or 'none'}")
        if variable.kind not in kinds:
            raise DataError(f"{path}: {name} is of class {variable.kind}; expected {' or '.join(kinds)}")
        return order, _unpack(element, start, order) if is_packed else element
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
        if kind not in (MATRIX, _COMPRESSED) or end > len(content):
            raise ValueError(f"no whole variable at byte {at}")
        yield kind == _COMPRESSED, view[at + 8 if kind == _COMPRESSED else at : end]
        at = end


def _unpack(element: memoryview, start: bytes | memoryview, order: str) -> memoryview:
    """Unpack a compressed variable; fails where the checksum does."""
    (size,) = struct.unpack_from(f"{order}I", start, 4)
    # A buffer of the right size saves a third of the time; no byte of deflate stands for more than 1032.
    return memoryview(zlib.decompress(element, bufsize=min(8 + size, 1032 * len(element))))
