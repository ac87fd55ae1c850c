"""The errors that a user can mend, and nothing else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn, Self

from weakpan.basics.console import PLAIN, say_error

log = logging.getLogger(__name__)

STATUS_USER = 2
"""Exit status of the three scripts after an error that the user can mend."""

STATUS_SKIPPED = 3
"""Exit status of make_gt.py and predict.py where images were left out, as on_error=skip asks for."""


class WeakpanError(Exception):
    """Something outside the program is wrong and the user can put it right.

    The message names the file or the configuration key, what was found, what was expected and what to do. The three
    scripts print it without a traceback and exit with `STATUS_USER`.

    Args:
        what: what is wrong, or what was expected; alone, without the others, the whole message.
        path: file or folder that it is about.
        key: configuration key that it is about, as it is typed.
        found: value of the key, which may be None; an ellipsis, which stays the same between processes, for none.
        remedy: what to do.
    """

    def __init__(
        self,
        what: str,
        *,
        path: Path | str | None = None,
        key: str | None = None,
        found: object = ...,
        remedy: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.path, self.key, self.found, self.remedy = what, path, key, found, remedy

    def __str__(self) -> str:
        subject = "" if self.key is None else self.key if self.found is ... else f"{self.key}={self.found}"
        parts = (subject, "" if self.path is None else str(self.path), self.what)
        said = ": ".join(filter(None, parts))
        return f"{said}{'' if said.endswith('?') else ';'} {self.remedy}" if self.remedy else said

    def __reduce__(self) -> tuple[object, ...]:
        make = partial(type(self), path=self.path, key=self.key, found=self.found, remedy=self.remedy)
        return make, (self.what,)

    def below(self, place: str) -> Self:
        """The same error of settings that stand at a place of the configuration, so that the key is the full one."""
        key = place if self.key is None else f"{place}.{self.key}" if place else self.key
        error = type(self)(self.what, path=self.path, key=key, found=self.found, remedy=self.remedy)
        error.__cause__ = self.__cause__
        return error


@contextmanager
def errors_below(place: str) -> Iterator[None]:
    """Give errors that name a key of an object the full one; the object stands at a place of the configuration."""
    try:
        yield
    except WeakpanError as error:
        if error.key is None:
            raise
        raise error.below(place) from error


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
    """Say, in a line for each image that was left out, its id and why."""
    for image_id, message in failures:
        log.warning("not done: %s: %s", image_id, one_line(message), extra=PLAIN)


def exit_with(error: WeakpanError) -> NoReturn:
    """Say the error in one line and end the process; what people start calls this, and nothing else."""
    say_error(one_line(str(error)))
    sys.exit(STATUS_USER)
