"""What to say when a disk is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def is_full(error: BaseException) -> bool:
    """Whether an error says that a file system, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def file_system_of(path: Path) -> str:
    """`file system /data (512.0 MB, 0.1 free without this file)`: where a file was to be written, and its room."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    space = os.statvfs(place)
    while not place.is_mount():
        place = place.parent
    free, size = (blocks * space.f_frsize / 2**20 for blocks in (space.f_bavail, space.f_blocks))
    return f"file system {place} ({size:.1f} MB, {free:.1f} free without this file)"
