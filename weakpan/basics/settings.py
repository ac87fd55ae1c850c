"""Settings: dataclasses whose fields carry their ranges, and the walker that checks them.

    @dataclass(frozen=True)
    class ScoreThreshold:
        minimum: float = setting(0.99, between(0, 1))

A value out of range is told with the key of its field; who knows where the settings stand in the configuration adds the
place (`WeakpanError.below`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from weakpan.basics.errors import ConfigError

_RANGE = "range"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Range:
    """Values that a setting may have; those of a list are looked at one by one, and None is always allowed.

    Attributes:
        expected: in words, for the message.
        holds: whether a value is one of them.
    """

    expected: str
    holds: Callable[[Any], bool]


def between(low: float, high: float) -> Range:
    """Numbers from `low` to `high`, both included."""
    return Range(f"a number from {low:g} to {high:g}", lambda v: _is_number(v) and low <= v <= high)


def at_least(low: float) -> Range:
    """Numbers from `low` on."""
    return Range(f"{low:g} or more", lambda v: _is_number(v) and v >= low)


def above(low: float) -> Range:
    """Numbers above `low`."""
    return Range(f"more than {low:g}", lambda v: _is_number(v) and v > low)


def one_of(choices: Iterable[object]) -> Range:
    """One of a few values."""
    known = tuple(choices)
    return Range(f"one of {', '.join(map(str, known))}", lambda v: v in known)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def setting(default: Value, valid: Range) -> Value:
    """A field of settings with its default value and its range; a list is copied for each object."""
    if isinstance(default, list):
        return cast(Value, field(default_factory=lambda: list(default), metadata={_RANGE: valid}))
    return field(default=default, metadata={_RANGE: valid})


def check_settings(settings: object, place: str = "") -> None:
    """Check every field of settings, and of settings and lists of settings within them.

    Args:
        settings: a dataclass; anything else has nothing to check.
        place: where they stand in the configuration, for the message.

    Raises:
        ConfigError: the first value that is not in its range, with its full key.
    """
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            check_settings(value, _join(place, str(key)))
    if not is_dataclass(settings) or isinstance(settings, type):
        return
    for entry in fields(settings):
        check_field(entry, getattr(settings, entry.name), _join(place, entry.name))


def check_field(entry: Field[Any], value: object, key: str) -> None:
    """Check the value of a field, and settings within it; raises ConfigError with the full key."""
    valid = entry.metadata.get(_RANGE)
    if valid is not None:
        check_value(key, value, valid)
    check_settings(value, key)


def check_value(key: str, value: object, valid: Range) -> None:
    """Raise ConfigError, naming the key, for a value that is not in its range."""
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if value is not None and not all(map(valid.holds, values)):
        raise ConfigError(f"expected {valid.expected}", key=key, found=value)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean NAME?` where one of the known names is alike, else the first dozen of them, for a message."""
    names = list(known)
    alike = get_close_matches(name, names, n=2)
    if alike:
        return f"did you mean {' or '.join(alike)}?"
    return f"there are {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else "there are none"


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
