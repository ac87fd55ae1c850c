"""Faults of the machine, such as a full disk: not of the file that meets them, so the next one would meet them too."""

from __future__ import annotations

import errno
import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weakpan.basics.errors import DiskFullError, MachineError, WeakpanError, one_line

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BROKEN = (errno.EIO, errno.EROFS)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_IN_TEXT = re.compile(r"\[Errno (\d+)\]")


def is_full(error: BaseException) -> bool:
    """Whether an error says that a file system, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def fault_of_machine(error: BaseException) -> OSError | None:
    """What a disk or a limit of the machine said, where that is what an error comes from.

    Readers turn errors of the system into their own, so that the causes are looked through, too; but a disk that cannot
    give back one file may well have the next one.
    """
    if isinstance(error, OSError) and error.errno in _BROKEN:
        return error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and (fault := _numbered(cause)).errno in (*_FULL, *_TOO_MANY_FILES):
            return fault
        cause = cause.__cause__
    return None


def _numbered(error: OSError) -> OSError:
    """The same, where only the text has the number: so errors come out of the processes that load batches."""
    found = _IN_TEXT.findall(str(error)) if error.errno is None else []
    return OSError(int(found[-1]), str(error)) if found else error


def as_machine_error(error: BaseException, path: Path | None = None, at: str = "") -> MachineError | None:
    """What to raise from an error that comes from a fault of the machine; None for any other error.

    Args:
        error: see `fault_of_machine`.
        path: that was read or written, where the fault does not name it.
        at: what was being done, to be added; begins with a comma.
    """
    fault = fault_of_machine(error)
    if fault is None:
        return None
    what, remedy = in_words(fault, path)
    unnamed = one_line(str(error)) if path is None else f"{path}: {one_line(str(error))}"
    where = Path(fault.filename).absolute() if fault.filename else unnamed
    kind = DiskFullError if is_full(fault) else MachineError
    return kind(f"{where}: {what}{at}; {remedy} and start the same command again: what is done stays")


def in_words(fault: OSError, path: Path | None = None) -> tuple[str, str]:
    """What is wrong, and what to do.

    Args:
        fault: of the machine, see `fault_of_machine`.
        path: that was read or written, where the fault does not name it.
    """
    place = path if fault.filename is None else Path(str(fault.filename))
    where = "its file system" if place is None else file_system_of(place)
    if fault.errno in _FULL:
        return f"no space left on {where}", "make room"
    if fault.errno == errno.EIO:
        of = "or what else was read or written" if place is None else f"that of {where}"
        return f"a disk failed, {of}", "see what the system says of it (dmesg), and mend it"
    if fault.errno == errno.EROFS:
        return f"nothing can be written any more to {where}", "mount it for writing, or mend it"
    if fault.errno == errno.EMFILE:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return f"more files open than the {limit} that a process may have", "allow more (ulimit -n)"
    return "more files open than this machine allows", "end other programs, or give fewer workers"


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


@contextmanager
def naming_faults(out: Path) -> Iterator[None]:
    """Turn a fault of the machine into an error that says what to do.

    Args:
        out: where the block writes, for faults that do not name a file.

    Raises:
        MachineError: a disk that is full or broken, or too many open files; other errors stay as they are.
    """
    try:
        yield
    except MachineError:
        raise
    except (WeakpanError, OSError) as error:
        fault = as_machine_error(error, out)
        if fault is None:
            raise
        raise fault from error
