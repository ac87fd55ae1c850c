"""The dials of the decoder; apart from it, so that a process that only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class DecodeSettings:
    """Dials of the decoder.

    Attributes:
        centre_threshold: least heatmap value of a centre, 0..1.
        centre_window: side of the window in which a centre must be the maximum, in pixels of the result (odd).
        max_instances: centres kept an image, strongest first.
        min_thing_area: smaller instances are dropped, in pixels of the result.
        min_stuff_area: smaller segments of stuff are dropped, in pixels of the result.
    """

    centre_threshold: float = 0.1
    centre_window: int = 7
    max_instances: int = 200
    min_thing_area: int = 16
    min_stuff_area: int = 64
