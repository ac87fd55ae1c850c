"""Painting masks of boxes into one map."""

import numpy as np
import pytest

from weakpan.basics.arrays import NO_THING
from weakpan.data.annotations import Box, BoxKind
from weakpan.masks.painting import Overlap, mask_iou, paint_masks

N, U = NO_THING, 255
LARGE, SMALL = Box(11, 0, 0, 4, 3), Box(0, 3, 1, 5, 2)
LARGE_MASK = np.array([[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]], bool)
SMALL_MASK = np.array([[0, 1, 1], [0, 1, 0]], bool)


@pytest.mark.parametrize("order", [1, -1])
def test_smaller_box_is_in_front_with_its_doubts(order):
    boxes, masks = [LARGE, SMALL][::order], [LARGE_MASK, SMALL_MASK][::order]
    painted = paint_masks((5, 6), boxes, dict(enumerate(masks)))
    assert painted.dtype == np.uint8
    assert painted.tolist() == [
        [U, 11, 11, 11, U, N],
        [11, 11, 11, U, 0, 0],
        [11, 11, 11, U, 0, U],
        [U, 11, 11, 11, U, N],
        [N, N, N, N, N, N],
    ]


def test_a_smaller_box_without_doubts_leaves_the_mask_behind_it():
    large, small = Box(13, 0, 0, 9, 9), Box(11, 2, 2, 5, 5)
    masks = {0: np.ones((10, 10), bool), 1: np.eye(4, dtype=bool)}
    painted = paint_masks((10, 12), (large, small), masks, doubt_hides=False)
    expected = np.full((10, 12), NO_THING, np.uint8)
    expected[:, :10] = 13
    expected[range(2, 6), range(2, 6)] = 11
    np.testing.assert_array_equal(painted, expected)
    # Where no mask is, doubt stays.
    assert (
        paint_masks((10, 12), (large, small), {1: masks[1]}, doubt_hides=False)[3, 2:6] == [255, 11, 255, 255]
    ).all()


def test_ignore_leaves_contested_pixels_undecided():
    painted = paint_masks((5, 6), [LARGE, SMALL], {0: LARGE_MASK, 1: SMALL_MASK}, Overlap.IGNORE)
    assert painted[1:3].tolist() == [[11, 11, 11, U, U, 0], [11, 11, 11, U, U, U]]


def test_ignore_is_about_classes():
    twin = Box(11, 3, 1, 5, 2)
    painted = paint_masks((5, 6), [LARGE, twin], {0: LARGE_MASK, 1: SMALL_MASK}, Overlap.IGNORE)
    assert painted[1].tolist() == [11, 11, 11, U, 11, 11]


def test_box_without_mask_is_undecided_and_outside_is_not_class_zero():
    painted = paint_masks((5, 6), [SMALL], {})
    assert (painted[SMALL.slices] == U).all()
    assert (painted == N).sum() == 24


def test_group_boxes_do_not_overwrite_and_stuff_boxes_do_nothing():
    group, stuff = Box(11, 0, 2, 2, 4, BoxKind.GROUP), Box(2, 0, 0, 5, 4, BoxKind.STUFF)
    for boxes in ([group, stuff, SMALL, LARGE], [LARGE, SMALL, stuff, group]):
        masks = {boxes.index(LARGE): LARGE_MASK, boxes.index(SMALL): SMALL_MASK}
        painted = paint_masks((5, 6), boxes, masks)
        alone = paint_masks((5, 6), [LARGE, SMALL], {0: LARGE_MASK, 1: SMALL_MASK})
        assert (painted[:4] == alone[:4]).all()
        assert painted[4].tolist() == [U, U, U, N, N, N]


def test_mask_iou():
    assert mask_iou(np.array([1, 1, 0], bool), np.array([0, 1, 1], bool)) == pytest.approx(1 / 3)
    assert mask_iou(np.zeros(3, bool), np.zeros(3, bool)) == 0
