"""Each rule on a map that can be checked by eye."""

import numpy as np
import pytest

from tests.unit.labels.plain_labels import plain_score_threshold
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import number_boxes
from weakpan.data.crops import CropGrid
from weakpan.labels.box_prior import drop_things_outside_boxes
from weakpan.labels.instances import label_instances
from weakpan.labels.low_iou_fill import fill_sparse_boxes
from weakpan.labels.mask_merge import merge_masks
from weakpan.labels.score_threshold import drop_low_scores
from weakpan.labels.tag_check import drop_untagged

IS_THING = np.zeros(256, bool)
IS_THING[[0, 3]] = True  # class 0 is a thing on purpose: nothing may take 0 for "none"


def grid_of(text):
    """A map from rows of characters: digits are train ids, '.' is 255, '-' is 254 (or -1 in instance maps)."""
    values = {".": 255, "-": 254}
    return np.array([[values.get(c, ord(c) - ord("0")) for c in row] for row in text.split()], np.uint8)


def instances_of(text):
    return np.array([[-1 if c == "-" else int(c) for c in row] for row in text.split()], np.int32)


def test_score_exactly_at_the_threshold_stays():
    label = grid_of("012 3.0")
    score = np.array([[0.99, 0.98, 1.0], [np.nan, 1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.99), grid_of("0.2 ..."))
    np.testing.assert_array_equal(label, grid_of("012 3.0"))


def test_the_surest_pixels_of_every_class_stay():
    label = grid_of("0000 3333 .111")
    score = np.array([[0.9, 0.4, 0.3, 0.2], [0.1, 0.4, 0.2, 0.3], [0.99, 0.97, 0.98, 0.99]], np.float32)
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.8), grid_of("0... .... .111"))
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.8, 0.5), grid_of("00.. .3.3 .111"))
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.985, 0.6), grid_of("000. .333 ..11"))
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.8, 1.0), label)


@pytest.mark.parametrize("height", [1, 64, 65, 200])
def test_the_surest_pixels_are_those_of_the_whole_image(height):
    rng = np.random.default_rng(height)
    label = rng.choice([0, 1, 3, 18, 254, 255], (height, 7)).astype(np.uint8)
    score = np.sort(rng.random((height, 7), np.float32), axis=0)  # the rows that come first are the least sure
    score[rng.random(score.shape) < 0.1] = 1
    for share in (0.01, 0.3, 1.0):
        expected = plain_score_threshold(label, score, 0.9, share)
        np.testing.assert_array_equal(drop_low_scores(label, score, 0.9, share), expected)


def test_scores_that_are_no_numbers_neither_count_nor_stay():
    label, score = grid_of("00000 11111"), np.full((2, 5), 0.5, np.float32)
    score[0, :3], score[1] = np.nan, np.nan
    np.testing.assert_array_equal(drop_low_scores(label, score, 0.8, 1.0), grid_of("...00 ....."))


def test_pixel_in_two_tiles_must_pass_both():
    label = grid_of("111111 222222 000000 0.0.0. 333333 121212")
    tiles = CropGrid(6, 4).tiles(6, 6)  # columns 0-3 and 2-5
    checked = drop_untagged(label, tiles, (frozenset({0, 1, 2}), frozenset({0, 2, 3})))
    expected = grid_of("11.... 222222 000000 0.0.0. ....33 12.2.2")
    np.testing.assert_array_equal(checked, expected)
    assert label[0, 5] == 1


def test_tags_must_fit_the_tiles():
    with pytest.raises(ValueError, match="zip"):
        drop_untagged(grid_of("11 11"), CropGrid(2, 1).tiles(2, 2), (frozenset({1}),))


def test_masks_decide_about_things_and_prediction_about_stuff():
    label = grid_of("111111 000000 333333 ...... 222222 101010")
    masks = grid_of("03-.-. 03-.-. 03-.-. 03-.-. 03-.-. ------")
    expected = grid_of("031111 03.... 03.... 03.... 032222 1.1.1.")
    np.testing.assert_array_equal(merge_masks(label, masks, IS_THING), expected)


def test_things_stay_only_in_boxes_of_their_class():
    label = grid_of("000111 000111 300333 300333 222222 ......")
    boxes = (
        Box(0, 0, 0, 1, 1),
        Box(0, 1, 1, 2, 2, BoxKind.GROUP),
        Box(1, 0, 0, 5, 5, BoxKind.STUFF),
    )
    expected = grid_of("00.111 000111 .00... ...... 222222 ......")
    np.testing.assert_array_equal(drop_things_outside_boxes(label, boxes, IS_THING), expected)


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


def test_instances_collide_only_within_a_class():
    label = grid_of("000000 000.33 000033 111133 111111 000000")
    boxes = (
        Box(1, 0, 0, 5, 5, BoxKind.STUFF),  # 1
        Box(0, 0, 0, 5, 5, BoxKind.GROUP),  # no id
        Box(0, 0, 0, 2, 2),  # 2
        Box(0, 2, 1, 4, 2),  # 3, meets 2 in column 2
        Box(3, 3, 0, 5, 3),  # 4, over 3
    )
    expected = instances_of("222000 22--44 22-344 111144 111111 000000")
    np.testing.assert_array_equal(label_instances(label, boxes), expected)


def test_third_box_on_a_collision_leaves_it_unlabelled():
    label = np.zeros((1, 3), np.uint8)
    boxes = (Box(0, 0, 0, 1, 0), Box(0, 1, 0, 2, 0), Box(0, 0, 0, 2, 0))
    np.testing.assert_array_equal(label_instances(label, boxes), instances_of("---"))


def test_repeats_take_no_id_and_a_group_hides_its_repeat():
    boxes = (
        Box(0, 0, 0, 1, 1),
        Box(3, 0, 0, 1, 1),
        Box(0, 0, 0, 1, 1),
        Box(0, 4, 4, 5, 5, BoxKind.GROUP),
        Box(0, 4, 4, 5, 5),
        Box(0, 0, 0, 1, 2),
    )
    assert [(k, b) for k, b in number_boxes(boxes)] == [(1, boxes[0]), (2, boxes[1]), (3, boxes[5])]


def test_more_than_254_instances_keep_their_ids():
    boxes = tuple(Box(0, x, 0, x, 0) for x in range(300))
    np.testing.assert_array_equal(label_instances(np.zeros((1, 300), np.uint8), boxes)[0], np.arange(1, 301))
