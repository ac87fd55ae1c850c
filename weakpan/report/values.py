"""Numbers of a run as text; a number that is missing is a dash and never a zero."""

from __future__ import annotations

import math
from typing import Any

DASH = "\N{EN DASH}"


def number(value: Any) -> float | None:
    """The value as a finite float; None if it is missing, not finite or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def percent(value: Any) -> str:
    """A share, 0..1, in per cent with one decimal."""
    found = number(value)
    return DASH if found is None else f"{100 * found:.1f}"


def count(value: Any) -> str:
    """A whole number, thousands apart."""
    found = number(value)
    return DASH if found is None else f"{found:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def decimal(value: Any) -> str:
    """A number with three significant digits or more, such as a loss."""
    found = number(value)
    return DASH if found is None else (f"{found:.3f}" if abs(found) < 100 else f"{found:.1f}")


def duration(value: Any) -> str:
    """Seconds as s, min or h."""
    found = number(value)
    if found is None:
        return DASH
    for limit, divisor, unit in ((120.0, 1.0, "s"), (7200.0, 60.0, "min")):
        if found < limit:
            return f"{found / divisor:.{0 if found / divisor >= 10 else 1}f} {unit}"
    return f"{found / 3600:.1f} h"
