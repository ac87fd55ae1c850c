"""The errors that a user can mend, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

STATUS_USER = 2
"""Exit status of the three scripts after an error that the user can mend."""

STATUS_SKIPPED = 3
"""Exit status of make_gt.py and predict.py where images were left out, as on_error=skip asks for."""


class WeakpanError(Exception):
    """Something outside the program is wrong and the user can put it right.

    The message names the file or the configuration key, what was found, what was expected and what to do. The three
    scripts print it without a traceback and exit with `STATUS_USER`.
    """


class ConfigError(WeakpanError):
    """A configuration value that the schema cannot catch: out of range, or at odds with another one."""


class DataError(WeakpanError):
    """An input file that is missing, damaged or contradicts another one."""


class RunError(WeakpanError):
    """A run folder that cannot be continued as asked, or labels that nothing can be learned from."""


class MachineError(RunError):
    """A disk, or a limit of the machine, that keeps this image from being done and would keep the next one."""


class DiskFullError(MachineError):
    """No room for a result, nor for those that would come after it."""


def one_line(message: str) -> str:
    """The message without line breaks; of an error in a loader process, what it said without its traceback."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    if any(line.startswith("Original Traceback") for line in lines):
        lines = [lines[-1].partition(": ")[2] or lines[-1]]
    return " ".join(lines)


def print_skipped(failures: Iterable[tuple[str, str]]) -> None:
    """Print a line for each image that was left out: its id and why."""
    for image_id, message in failures:
        print(f"not done: {image_id}: {one_line(message)}", file=sys.stderr, flush=True)


def exit_with(error: WeakpanError) -> NoReturn:
    """Print the error in one line and end the process; what people start calls this, and nothing else."""
    print(f"error: {one_line(str(error))}", file=sys.stderr, flush=True)
    sys.exit(STATUS_USER)
