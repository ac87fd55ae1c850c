"""Classes stay in crops that are tagged with them."""

import numpy as np
import pytest

from tests.unit.labels.drawn_maps import grid_of
from weakpan.data.crops import CropGrid
from weakpan.labels.tag_check import drop_untagged


def test_pixel_in_two_crops_must_pass_both():
    label = grid_of("111111 222222 000000 0.0.0. 333333 121212")
    crops = CropGrid(6, 4).crops(6, 6)  # columns 0-3 and 2-5
    checked = drop_untagged(label, crops, (frozenset({0, 1, 2}), frozenset({0, 2, 3})))
    expected = grid_of("11.... 222222 000000 0.0.0. ....33 12.2.2")
    np.testing.assert_array_equal(checked, expected)
    assert label[0, 5] == 1


def test_tags_must_fit_the_crops():
    with pytest.raises(ValueError, match="zip"):
        drop_untagged(grid_of("11 11"), CropGrid(2, 1).crops(2, 2), (frozenset({1}),))
