"""The errors that a user can mend, and nothing else."""

from __future__ import annotations


class WeakpanError(Exception):
    """Something outside the program is wrong and the user can put it right.

    The message names the file or the configuration key, what was found, what was expected and what to do. The three
    scripts print it without a traceback and exit with status 2; images that make_gt.py was told to skip make it 3.
    """


class ConfigError(WeakpanError):
    """A configuration value that the schema cannot catch: out of range, or at odds with another one."""


class DataError(WeakpanError):
    """An input file that is missing, damaged or contradicts another one."""


class RunError(WeakpanError):
    """A run folder that cannot be continued as asked, or labels that nothing can be learned from."""


def one_line(message: str) -> str:
    """The message without line breaks; of an error in a loader process, what it said without its traceback."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    if any(line.startswith("Original Traceback") for line in lines):
        lines = [lines[-1].partition(": ")[2] or lines[-1]]
    return " ".join(lines)
