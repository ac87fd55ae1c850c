"""What a process says: plain lines for people, and the same with times and levels in a file of the run.

Modules log through `logging.getLogger(__name__)`; the scripts set up once what becomes of it. A notebook that imports
the package decides for itself, as with any library.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable
from logging.handlers import MemoryHandler
from pathlib import Path

PLAIN = {"plain": True}
"""`extra` of records that go to standard error as they are, without the name of their level."""

_OURS = "weakpan"


def set_up_logging(rank: Callable[[], int], verbose: bool = False, quiet: bool = False) -> None:
    """Say what is logged, and keep it for `log_to`. What was set up before, by Hydra too, is replaced.

    Information goes to standard output, warnings and errors to standard error behind `warning: ` and `error: `; that of
    other libraries only from warnings on. Ranks but the first say nothing but errors.

    Args:
        rank: number of this process in its job, which may change when the job's processes find each other.
        verbose: also what helps to find faults, and information from other libraries.
        quiet: nothing but warnings and errors; the file has the rest.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Console | _Buffer | _LogFile) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
            handler.close()
    # Apart, so that somebody who does not read on holds up no error: a handler is locked while it writes.
    for handler in (_Console(lambda record: not _is_error_stream(record)), _Console(_is_error_stream), _Buffer()):
        handler.addFilter(lambda record: record.levelno >= logging.ERROR or rank() == 0)
        if not verbose:
            handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith(_OURS))
        if quiet and isinstance(handler, _Console):
            handler.setLevel(logging.WARNING)
        root.addHandler(handler)
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger(_OURS).setLevel(logging.DEBUG if verbose else logging.INFO)


def is_set_up() -> bool:
    """Whether somebody has called `set_up_logging`."""
    return any(isinstance(handler, _Console) for handler in logging.getLogger().handlers)


def log_to(path: Path) -> None:
    """Append to a file what has been logged since `set_up_logging`, and what will be; the folder is this job's by now.

    Raises:
        OSError: the file cannot be opened.
    """
    root = logging.getLogger()
    for buffer in [handler for handler in root.handlers if isinstance(handler, _Buffer)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _LogFile(path)
        file.filters = buffer.filters
        buffer.setTarget(file)
        buffer.flush()
        root.removeHandler(buffer)
        root.addHandler(file)


def _is_error_stream(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or getattr(record, "plain", False)


class _Console(logging.Handler):
    """Lines for people, on the standard streams as they are at the time."""

    def __init__(self, takes: Callable[[logging.LogRecord], bool]) -> None:
        super().__init__()
        self.addFilter(takes)

    def emit(self, record: logging.LogRecord) -> None:
        named = record.levelno >= logging.WARNING and not getattr(record, "plain", False)
        prefix = ("error: " if record.levelno >= logging.ERROR else "warning: ") if named else ""
        stream = sys.stderr if _is_error_stream(record) else sys.stdout
        try:
            # The last line is the one that tells what to do.
            if record.exc_info:
                traceback.print_exception(record.exc_info[1], file=stream)
            print(f"{prefix}{record.getMessage()}", file=stream, flush=True)
        except OSError:
            self.handleError(record)


class _Buffer(MemoryHandler):
    """Records until there is a file for them."""

    def __init__(self) -> None:
        super().__init__(sys.maxsize, logging.CRITICAL + 1, flushOnClose=False)


class _LogFile(logging.Handler):
    """Appends each record with one call of the system, so that ranks may share the file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def emit(self, record: logging.LogRecord) -> None:
        # A full disk is told by what makes the results.
        with contextlib.suppress(OSError):
            os.write(self._file, f"{self.format(record)}\n".encode())

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        super().close()


def say_error(line: str) -> None:
    """Say why the process is going to end, whether or not logging has been set up."""
    if is_set_up():
        logging.getLogger(__name__).error("%s", line)
    else:
        print(f"error: {line}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""What torchrun, srun and Lightning call the number of a process."""

_AWAITED = "pytorch_lightning"


def say_loading() -> None:
    """Tell, in the first process of a job, that it takes seconds; not if the libraries are there already."""
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    if rank == "0" and _AWAITED not in sys.modules:
        logging.getLogger(__name__).info("weakpan: loading", extra=PLAIN)
