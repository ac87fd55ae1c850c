"""Files that are either whole or not there: write beside, then rename."""

from __future__ import annotations

import codecs
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

_TEMPORARY = re.compile(r"\..*\.\d+-[0-9a-f]{8}(\.[^.]*)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes `path` when the block ends without an error.

    An OSError of the block names the file.
    """
    with _beside(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, and leave nothing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Processes of several machines may have the same number.
    # The suffix stays last because image writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
    except OSError as error:
        # A write that fails for want of room does not say where.
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """Text in UTF-8, with or without a byte order mark, or in UTF-16 with one, as Windows writes it.

    Raises OSError, or UnicodeDecodeError for text in neither.
    """
    content = path.read_bytes()
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig")


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text so that a reader sees the old file or the whole new one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_text_once(path: Path, text: str) -> bool:
    """Write UTF-8 text, whole or not at all, unless the file is there: of several processes one writes.

    Returns:
        Whether this call has written it.
    """
    if path.is_file():
        return False
    with _beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError:
            # Some file systems have no links; there two processes of the same moment overwrite each other.
            temporary.replace(path)
    return True


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write bytes so that a reader sees the old file or the whole new one."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def content_digest(paths: Iterable[Path]) -> str:
    """Checksum of some files, their bytes and how these are divided among them: `crc32 ` and eight digits.

    Names do not count: a copy elsewhere is the same. A file is not read again while its time and size stay. Raises
    OSError for one that is not there.
    """
    total = 0
    for path in paths:
        stat = path.stat()
        total = zlib.crc32(f"{stat.st_size} {_crc32(path, stat.st_mtime_ns, stat.st_size):08x} ".encode(), total)
    return f"crc32 {total:08x}"


@lru_cache(maxsize=64)
def _crc32(path: Path, time: int, size: int) -> int:  # noqa: ARG001
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total = zlib.crc32(block, total)
    return total


def is_temporary(path: Path) -> bool:
    """Whether a file is what a writer that was killed left beside the file that it meant to write."""
    return _TEMPORARY.fullmatch(path.name) is not None and path.is_file()


def remove_temporaries(folder: Path) -> None:
    """Remove what writers that were killed left beside the files that they meant to write.

    Args:
        folder: searched with all below it; nobody may be writing there.
    """
    for path in folder.rglob(".*"):
        if is_temporary(path):
            path.unlink(missing_ok=True)
