"""Things stay in the boxes of their class."""

import numpy as np

from tests.unit.labels.drawn_maps import IS_THING, grid_of
from weakpan.data.annotations import Box, BoxKind
from weakpan.labels.box_prior import drop_things_outside_boxes


def test_things_stay_only_in_boxes_of_their_class():
    label = grid_of("000111 000111 300333 300333 222222 ......")
    boxes = (
        Box(0, 0, 0, 1, 1),
        Box(0, 1, 1, 2, 2, BoxKind.GROUP),
        Box(1, 0, 0, 5, 5, BoxKind.STUFF),
    )
    expected = grid_of("00.111 000111 .00... ...... 222222 ......")
    np.testing.assert_array_equal(drop_things_outside_boxes(label, boxes, IS_THING), expected)
