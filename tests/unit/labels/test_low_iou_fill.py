"""Boxes that hardly hold their class are filled, as the authors' code does it."""

import numpy as np
import pytest

from tests.unit.labels.drawn_maps import IS_THING, grid_of
from weakpan.data.annotations import Box, BoxKind
from weakpan.labels.low_iou_fill import fill_sparse_boxes


def test_sparse_box_is_filled_without_its_first_row_and_column():
    label = grid_of("111111 1.1111 113311 1.1011 111111 111111")
    box = Box(0, 1, 1, 4, 4)
    filled = fill_sparse_boxes(label, (box,), IS_THING, 0.5)
    np.testing.assert_array_equal(filled, grid_of("111111 1.1111 113301 1.0001 110001 111111"))
    over_things = fill_sparse_boxes(label, (box,), IS_THING, 0.5, over_things=True)
    np.testing.assert_array_equal(over_things, grid_of("111111 1.1111 110001 1.0001 110001 111111"))


@pytest.mark.parametrize(("labelled", "filled"), [(4, True), (5, False)])
def test_fraction_counts_the_raster_and_half_is_enough(labelled, filled):
    label = np.ones((6, 6), np.uint8)
    label[:, 0] = label[0] = 0  # the box's first row and column are of its class, but do not count
    raster = label[1:3, 1:6]
    raster.flat[:labelled] = 0  # of 10 pixels
    result = fill_sparse_boxes(label, (Box(0, 0, 0, 5, 2),), IS_THING, 0.5)
    assert np.count_nonzero(result[1:3, 1:6] == 0) == (10 if filled else labelled)
    np.testing.assert_array_equal(result[3:], label[3:])


def test_smaller_box_fills_over_what_a_larger_one_filled():
    label = np.ones((6, 6), np.uint8)
    small, large = Box(3, 1, 1, 3, 3), Box(0, 0, 0, 5, 5)
    expected = grid_of("111111 100000 103300 103300 100000 100000")
    for boxes in ((small, large), (large, small)):
        np.testing.assert_array_equal(fill_sparse_boxes(label, boxes, IS_THING, 0.5), expected)


def test_boxes_of_one_size_are_filled_in_their_order():
    label = np.ones((6, 6), np.uint8)
    first, second = Box(0, 0, 0, 3, 3), Box(3, 1, 1, 4, 4)
    assert fill_sparse_boxes(label, (first, second), IS_THING, 0.5)[2, 2] == 3
    assert fill_sparse_boxes(label, (second, first), IS_THING, 0.5)[2, 2] == 0


def test_what_a_pixel_is_is_read_before_any_fill():
    label = np.ones((6, 6), np.uint8)
    label[2, 2] = 3
    boxes = (Box(0, 0, 0, 5, 5), Box(3, 1, 1, 3, 3))
    result = fill_sparse_boxes(label, boxes, IS_THING, 0.5, over_things=True)
    # (2, 2) was of class 3 before the step, so the small box does not take it back from the large one.
    np.testing.assert_array_equal(result, grid_of("111111 100000 100300 103300 100000 100000"))


def test_group_stuff_and_one_pixel_wide_boxes_are_not_filled():
    label = np.full((6, 6), 255, np.uint8)
    boxes = (Box(0, 0, 0, 5, 5, BoxKind.GROUP), Box(1, 0, 0, 5, 5, BoxKind.STUFF), Box(3, 2, 0, 2, 5))
    np.testing.assert_array_equal(fill_sparse_boxes(label, boxes, IS_THING, 0.5), label)
