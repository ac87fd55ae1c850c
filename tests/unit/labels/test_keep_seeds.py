"""A tag that a prediction leaves unsatisfied keeps its seeds."""

import numpy as np
import pytest

from tests.unit.labels.drawn_maps import grid_of
from weakpan.basics.errors import ConfigError
from weakpan.data.crops import CropGrid
from weakpan.labels import KeepSeeds
from weakpan.labels.keep_seeds import keep_seeds

SEEDS = grid_of("111122 111122 113322 ......")
CROPS = CropGrid(4, 3).crops(4, 6)  # columns 0-2 and 3-5


def test_a_class_that_is_gone_comes_back_in_its_crop_alone():
    predicted = grid_of("111111 111111 111111 111111")
    kept = keep_seeds(predicted, SEEDS, CROPS, (frozenset({1, 3}), frozenset({1, 2})), 0.2)
    # 3 lies in both crops, and is a tag of the first one.
    np.testing.assert_array_equal(kept, grid_of("111122 111122 113122 111111"))
    assert (predicted == 1).all(), "the input stays as it was"


@pytest.mark.parametrize(("share", "comes_back"), [(0.0, False), (0.3, False), (0.4, True), (1.0, True)])
def test_it_comes_back_below_the_share_of_its_seeds(share, comes_back):
    predicted = grid_of("111121 111121 111111 111111")  # 2 of the 6 seeds of class 2
    kept = keep_seeds(predicted, SEEDS, CROPS, (frozenset({1}), frozenset({1, 2})), share)
    assert (kept == SEEDS).sum() == ((SEEDS == 1) | (SEEDS == 2)).sum() if comes_back else (kept == predicted).all()


def test_tags_without_seeds_and_classes_without_tags_change_nothing():
    predicted = grid_of("111111 111111 111111 111111")
    np.testing.assert_array_equal(keep_seeds(predicted, SEEDS, CROPS, (frozenset({4}), frozenset()), 1.0), predicted)


def test_all_tags_are_judged_by_the_map_as_it_was():
    seeds, predicted = grid_of("1122 1122"), grid_of("2211 2211")
    crops = CropGrid(2, 4).crops(2, 4)
    kept = keep_seeds(predicted, seeds, crops, (frozenset({1, 2}),), 0.5)
    np.testing.assert_array_equal(kept, predicted)
    np.testing.assert_array_equal(keep_seeds(grid_of("3333 3333"), seeds, crops, (frozenset({1, 2}),), 0.5), seeds)


def test_tags_must_fit_the_crops():
    with pytest.raises(ValueError, match="zip"):
        keep_seeds(SEEDS, SEEDS, CROPS, (frozenset({1}),), 0.2)


def test_it_applies_after_the_first_round_and_up_to_the_last_one():
    assert [r for r in range(5) if KeepSeeds(last_round=3).applies_in(r)] == [1, 2, 3]


def test_a_share_is_a_share():
    with pytest.raises(ConfigError, match="least_share=2"):
        KeepSeeds(least_share=2)
