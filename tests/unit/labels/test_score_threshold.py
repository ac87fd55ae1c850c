"""What the network is unsure of goes, the surest pixels of each class stay."""

import numpy as np
import pytest

from tests.unit.labels.drawn_maps import grid_of
from tests.unit.labels.plain_labels import plain_score_threshold
from weakpan.labels.score_threshold import drop_low_scores


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
