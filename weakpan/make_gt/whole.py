"""Whether a result is there: what was cut short by something else than this program is made again."""

from __future__ import annotations

from pathlib import Path

from weakpan.errors import DataError
from weakpan.images import inspect_image


def is_whole(path: Path) -> bool:
    """Whether an image file is there and does not end early; looks at its first and last bytes only."""
    try:
        inspect_image(path)
    except DataError:
        return False
    return True
