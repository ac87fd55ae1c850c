"""Scores of masks in boxes on images of 6 x 6 pixels, whose figures are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.evaluation.street_6x6 import CAR, DOG, ROAD, SKY, STREET, TRUTH, grid
from weakpan.basics.arrays import NO_THING
from weakpan.data.annotations import Box, BoxKind
from weakpan.evaluation.box_scores import (
    ELLIPSE,
    MASK,
    PERFECT,
    READINGS,
    WHOLE_BOX,
    PixelCounts,
    control_maps,
    score_boxes,
)
from weakpan.evaluation.real_instances import find_instances, match_boxes

LEFT, RIGHT = Box(CAR, 0, 2, 2, 3), Box(CAR, 2, 2, 5, 3)
"""Around the real car of 6 pixels; around that of 4 with a column too much on either side."""

GHOST = Box(DOG, 0, 4, 1, 5)
EVERYTHING = [
    Box(SKY, 0, 0, 5, 5, BoxKind.STUFF), Box(CAR, 5, 2, 5, 3, BoxKind.GROUP), LEFT, GHOST, RIGHT,
]  # fmt: skip


def masks():
    """`.` is no mask."""
    values = grid("""
        254 254 254 254 254 254
        254 254 254 254 254 254
        2   2   255 2   2   2
        2   255 255 255 2   2
        3   255 254 254 254 254
        255 255 254 254 254 254
    """)
    return values.astype(np.uint8)


class TestRealInstances:
    """Which instances there are."""

    def test_of_the_street(self):
        found = find_instances(TRUTH, STREET)
        assert found.boxes == (Box(CAR, 0, 2, 2, 3), Box(CAR, 3, 2, 4, 3))
        assert found.areas == (6, 4)
        assert found.positions.tolist()[2] == found.positions.tolist()[3] == [1, 1, 1, 2, 2, 0]
        assert not found.positions[[0, 1, 4, 5]].any()

    def test_numbers_start_anew_in_every_class(self):
        semantic = np.array([[CAR, CAR, DOG, ROAD]], np.uint8)
        truth = type(TRUTH)(semantic, np.array([[7, 7, 7, 7]], np.int32))
        found = find_instances(truth, STREET)
        assert found.boxes == (Box(CAR, 0, 0, 1, 0), Box(DOG, 2, 0, 2, 0))
        assert found.areas == (2, 1)

    def test_none(self):
        found = find_instances(type(TRUTH)(np.full((2, 3), 255, np.uint8), np.ones((2, 3), np.int32)), STREET)
        assert (found.boxes, found.areas) == ((), ())


class TestMatching:
    """Which instance a box speaks of."""

    @pytest.mark.parametrize(
        ("other", "iou"),
        [
            (Box(CAR, 0, 0, 3, 3), 1.0), (Box(DOG, 2, 0, 5, 3), 8 / 24), (Box(CAR, 4, 0, 5, 3), 0.0),
            (Box(CAR, 3, 3, 3, 3), 1 / 16),
        ],
    )  # fmt: skip
    def test_iou(self, other, iou):
        assert Box(CAR, 0, 0, 3, 3).iou(other) == other.iou(Box(CAR, 0, 0, 3, 3)) == iou

    def test_the_best_pair_comes_first(self):
        # The first box would take the instance that the second one fits exactly.
        boxes, instances = [Box(CAR, 0, 0, 3, 3), Box(CAR, 0, 0, 3, 4)], [Box(CAR, 0, 0, 3, 4), Box(CAR, 0, 0, 3, 1)]
        assert match_boxes(boxes, instances) == {1: 0, 0: 1}

    def test_each_instance_once(self):
        assert match_boxes([LEFT, LEFT, LEFT], [LEFT, LEFT]) == {0: 0, 1: 1}

    def test_half_is_enough_and_less_is_not(self):
        instance = Box(CAR, 0, 0, 3, 0)
        assert match_boxes([Box(CAR, 0, 0, 7, 0)], [instance]) == {0: 0}
        assert match_boxes([Box(CAR, 0, 0, 8, 0)], [instance]) == {}
        assert match_boxes([Box(CAR, 0, 0, 8, 0)], [instance], min_iou=0.4) == {0: 0}

    @pytest.mark.parametrize("box", [Box(DOG, 0, 2, 2, 3), Box(CAR, 0, 2, 2, 3, BoxKind.GROUP)])
    def test_other_classes_and_groups_match_nothing(self, box):
        assert match_boxes([box], [LEFT]) == {}


class TestScores:
    """Pixels of masks and controls."""

    def test_by_hand(self):
        scores, without_box = score_boxes(masks(), EVERYTHING, TRUTH, STREET)
        assert [(s.index, s.box) for s in scores] == [(2, LEFT), (3, GHOST), (4, RIGHT)]
        assert without_box == 0
        left, ghost, right = (s.counts for s in scores)
        assert ghost == {}
        assert tuple(left) == tuple(right) == READINGS
        assert left[MASK] == PixelCounts(pixels=3, real=6, shared=3, of_class=3)
        # The last column is a crowd of cars: the class is right, and no instance is.
        assert right[MASK] == PixelCounts(pixels=5, real=4, shared=3, of_class=5)
        assert left[WHOLE_BOX] == PixelCounts(pixels=6, real=6, shared=6, of_class=6)
        assert right[WHOLE_BOX] == PixelCounts(pixels=8, real=4, shared=4, of_class=8)
        # Both cars and the crowd, since a map of classes cannot tell them apart.
        assert left[PERFECT] == PixelCounts(pixels=6, real=6, shared=6, of_class=6)
        assert right[PERFECT] == PixelCounts(pixels=8, real=4, shared=4, of_class=8)

    def test_pixels_of_an_instance_outside_its_box_are_missed(self):
        inner = Box(CAR, 0, 2, 1, 3)
        ((score,), without_box) = score_boxes(masks(), [inner], TRUTH, STREET)
        assert score.counts[MASK] == PixelCounts(pixels=3, real=6, shared=3, of_class=3)
        assert score.counts[MASK].recall == 0.5
        assert score.counts[WHOLE_BOX] == score.counts[PERFECT] == PixelCounts(pixels=4, real=6, shared=4, of_class=4)
        assert without_box == 1

    def test_ignored_pixels_are_wrong(self):
        semantic = TRUTH.semantic.copy()
        semantic[2, 0] = 255
        scores, _ = score_boxes(masks(), [LEFT], type(TRUTH)(semantic, TRUTH.instances), STREET)
        assert scores[0].counts[MASK] == PixelCounts(pixels=3, real=5, shared=2, of_class=2)

    def test_sizes_that_differ(self):
        with pytest.raises(ValueError, match=r"\(5, 6\) and ground truth of \(6, 6\)"):
            score_boxes(masks()[:5], [LEFT], TRUTH, STREET)

    @pytest.mark.parametrize(
        ("counts", "iou", "precision", "recall"),
        [
            (PixelCounts(3, 6, 3, 3), 0.5, 1.0, 0.5), (PixelCounts(8, 4, 4, 8), 0.5, 0.5, 1.0),
            (PixelCounts(0, 4, 0, 0), 0.0, None, 0.0),
        ],
    )  # fmt: skip
    def test_ratios(self, counts, iou, precision, recall):
        assert (counts.iou, counts.precision, counts.recall) == (iou, precision, recall)


class TestControls:
    """Maps of ellipses and of whole boxes."""

    def test_the_ellipse_leaves_out_corners(self):
        maps = control_maps((4, 5), [Box(CAR, 1, 0, 4, 3)])
        # Centres lie at .25 and .75 of the half axes: only corners have .75^2 + .75^2 > 1.
        np.testing.assert_array_equal(
            maps[ELLIPSE],
            grid("""
                254 255 2 2 255
                254 2   2 2 2
                254 2   2 2 2
                254 255 2 2 255
            """),
        )
        assert (maps[WHOLE_BOX][:, 1:] == CAR).all()
        assert (maps[WHOLE_BOX][:, 0] == NO_THING).all()

    def test_smaller_boxes_are_in_front(self):
        boxes = [Box(DOG, 0, 0, 1, 1), Box(CAR, 0, 0, 3, 3), Box(CAR, 4, 0, 5, 1, BoxKind.GROUP)]
        whole = control_maps((4, 6), boxes)[WHOLE_BOX]
        assert whole.tolist() == [[3, 3, 2, 2, 255, 255]] * 2 + [[2, 2, 2, 2, 254, 254]] * 2
