"""Image files in and out, with errors that name the file."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from weakpan.basics.arrays import RGBImage
from weakpan.basics.errors import DataError
from weakpan.storage.files import write_bytes_atomically


def read_rgb(path: Path) -> RGBImage:
    """Read a colour image as (H, W, 3) uint8, RGB; raises DataError if it is missing, truncated or no image."""
    return np.ascontiguousarray(_decode(path)[..., ::-1]).astype(np.uint8, copy=False)


def read_map(path: Path) -> npt.NDArray[np.integer]:
    """Read a label map as (H, W) uint8 or uint16, palette indices untouched.

    Raises:
        DataError: a missing or truncated file, or one with several channels.
    """
    # Pillow keeps palette indices; cv2 would turn an indexed PNG into its colours.
    try:
        with Image.open(path) as image:
            image.load()
            values = np.asarray(image)
    except FileNotFoundError:
        raise DataError(f"{path}: no such label map") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error}); it may be truncated: write it again") from error
    if values.ndim != 2:
        raise DataError(f"{path}: a label map has one channel, found shape {values.shape}")
    return values if values.dtype in (np.uint8, np.uint16) else values.astype(np.int32)


_IMAGE = (cv2.IMWRITE_PNG_COMPRESSION, 1)
"""How cv2 writes colours: a third of the time of its default level for a few per cent of size."""

_MAP = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)
"""How cv2 writes a map: a row of labels is that above but for few pixels, so that their difference is runs of zeros. A
third to a half of the time of the default filter, and fewer bytes."""


def write_png(path: Path, values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    """Write an (H, W) map of 8 or 16 bits or an (H, W, 3) RGB image as PNG, atomically."""
    content, how = (values[..., ::-1], _IMAGE) if values.ndim == 3 else (values, _MAP)
    if values.size == 0 or values.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path}: an array of shape {values.shape} and dtype {values.dtype} cannot be written as PNG")
    _, buffer = cv2.imencode(".png", np.ascontiguousarray(content), how)
    write_bytes_atomically(path, buffer.tobytes())


def write_indexed_png(path: Path, values: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> None:
    """Write an (H, W) uint8 map as a PNG with a (256, 3) uint8 RGB palette, atomically.

    Viewers show its colours, `read_map` gives the values back. Raises DataError for arrays of another shape or dtype.
    """
    if values.ndim != 2 or values.dtype != np.uint8:
        raise DataError(f"{path}: a map of shape {values.shape} and dtype {values.dtype}; expected (H, W) uint8")
    if palette.shape != (256, 3) or palette.dtype != np.uint8:
        raise DataError(
            f"{path}: a palette of shape {palette.shape} and dtype {palette.dtype}; expected (256, 3) uint8"
        )
    image = Image.fromarray(values)
    image.putpalette(palette.tobytes())
    content = io.BytesIO()
    # Runs of one label are what a label map consists of: half the bytes of the default strategy in a quarter of the
    # time.
    image.save(content, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    write_bytes_atomically(path, content.getvalue())


def inspect_image(path: Path) -> tuple[int, int]:
    """(height, width) of an image from its first and last bytes; DataError if it is missing, none or cut short."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            kind = image.format or ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read()
    except FileNotFoundError:
        raise DataError(f"{path}: no such image") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error}); write it again") from error
    _check_end(path, kind, tail)
    return height, width


_END_MARKERS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
_TAIL = 64
"""Bytes at the end of a file in which the end marker must lie; some writers add a little padding."""


def _check_end(path: Path, kind: str, tail: bytes) -> None:
    if kind in _END_MARKERS and _END_MARKERS[kind] not in tail:
        raise DataError(f"{path}: the {kind} ends early; it is truncated: write it again")


def _decode(path: Path) -> npt.NDArray[np.generic]:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise DataError(f"{path}: no such image") from None
    except OSError as error:
        raise DataError(f"{path}: not readable ({error})") from error
    # OpenCV fills the missing part of a truncated file with grey and says nothing.
    tail = content[-_TAIL:].tobytes()
    if content[:4].tobytes() == b"\x89PNG":
        _check_end(path, "PNG", tail)
    elif content[:2].tobytes() == b"\xff\xd8":
        _check_end(path, "JPEG", tail)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise DataError(f"{path}: not a readable image; it may be truncated: write it again")
    return image


def is_whole(path: Path) -> bool:
    """Whether an image file is there and does not end early; looks at its first and last bytes only."""
    try:
        inspect_image(path)
    except DataError:
        return False
    return True
