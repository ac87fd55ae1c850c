"""Pixels of a class are divided among its boxes."""

import numpy as np

from tests.unit.labels.drawn_maps import grid_of, instances_of
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import number_boxes
from weakpan.labels.instances import label_instances


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
