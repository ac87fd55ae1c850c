"""A class table of two kinds of stuff and two of things, and one image of 6 x 6 pixels that can be scored by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog, ClassInfo
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment

STREET = Catalog(
    "street",
    (
        ClassInfo("road", 1, (1, 1, 1), False),
        ClassInfo("sky", 2, (2, 2, 2), False),
        ClassInfo("car", 3, (3, 3, 3), True),
        ClassInfo("dog", 4, (4, 4, 4), True),
    ),
)
ROAD, SKY, CAR, DOG = range(4)


def grid(text: str) -> npt.NDArray[np.int32]:
    """Rows of whole numbers as an array."""
    return np.array([[int(value) for value in row.split()] for row in text.strip().splitlines()], np.int32)


TRUE_CLASS = grid("""
    1 1 1 1 1 255
    1 1 1 1 1 255
    2 2 2 2 2 2
    2 2 2 2 2 2
    0 0 0 0 0 0
    0 0 0 0 0 0
""")
TRUE_NUMBER = grid("""
    0 0 0 0 0 0
    0 0 0 0 0 0
    1 1 1 2 2 0
    1 1 1 2 2 0
    0 0 0 0 0 0
    0 0 0 0 0 0
""")
TRUTH = PanopticTruth(TRUE_CLASS.astype(np.uint8), TRUE_NUMBER)
PREDICTED = grid("""
    5 5 5 5 5 5
    5 5 5 5 5 5
    7 7 6 6 6 8
    7 7 6 6 6 8
    5 0 4 4 4 4
    4 4 4 4 9 9
""")
SEGMENTS = (
    Segment(4, ROAD, 1.0), Segment(5, SKY, 1.0), Segment(6, CAR, 0.9), Segment(7, CAR, 0.8), Segment(8, CAR, 0.7),
    Segment(9, DOG, 0.6),
)  # fmt: skip


def hand_case() -> tuple[PanopticMap, PanopticTruth]:
    """Prediction and truth."""
    return PanopticMap(PREDICTED, SEGMENTS), TRUTH
