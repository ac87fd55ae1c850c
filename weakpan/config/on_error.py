"""What happens after an image that cannot be done."""

from __future__ import annotations

from enum import Enum


class OnError(Enum):
    """Stop at the first such image, or skip it, do the rest and list it at the end."""

    stop = "stop"
    skip = "skip"
