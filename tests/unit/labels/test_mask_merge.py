"""Things come from the masks in boxes."""

import numpy as np

from tests.unit.labels.drawn_maps import IS_THING, grid_of
from weakpan.labels.mask_merge import merge_masks


def test_masks_decide_about_things_and_prediction_about_stuff():
    label = grid_of("111111 000000 333333 ...... 222222 101010")
    masks = grid_of("03-.-. 03-.-. 03-.-. 03-.-. 03-.-. ------")
    expected = grid_of("031111 03.... 03.... 03.... 032222 1.1.1.")
    np.testing.assert_array_equal(merge_masks(label, masks, IS_THING), expected)
