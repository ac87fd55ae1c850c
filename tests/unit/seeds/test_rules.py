"""The label map of stitched heatmaps, by the published rule and by competition."""

import numpy as np
import pytest
import torch

from weakpan.basics.errors import ConfigError
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.rules import Competing, PublishedRule

STILL = DiffusionSettings(steps=0)


def published_labels(cams, threshold):
    return PublishedRule(threshold).winners(cams, None, None, None)


def test_pixels_above_half_of_the_maximum_are_kept():
    cams = torch.tensor([[[4.0, 2.1, 2.0, 0.0]]])
    assert published_labels(cams, 0.5).tolist() == [[0, 0, 255, 255]]
    assert published_labels(cams, 0.0).tolist() == [[0, 0, 0, 255]]
    assert published_labels(cams, 1.0).tolist() == [[255] * 4]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_smaller_area_wins(order):
    wide, narrow = torch.tensor([[9.0, 9.0, 9.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    cams = torch.stack([(wide, narrow)[k] for k in order])
    small, large = order.index(1), order.index(0)
    assert published_labels(cams, 0.5).tolist() == [[large, small, large, small]]


def test_labels_against_a_slow_rule():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cams = (rng.random((5, 6, 7)) * rng.integers(0, 2, (5, 1, 1))).astype(np.float32)
        kept = [cams[c] > 0.5 * cams[c].max() if cams[c].max() > 0 else cams[c] > 9 for c in range(5)]
        areas = [int(k.sum()) for k in kept]
        expected = np.full((6, 7), 255)
        for y, x in np.ndindex(6, 7):
            claims = [(areas[c], -c) for c in range(5) if kept[c][y, x]]
            if claims:
                expected[y, x] = -min(claims)[1]
        np.testing.assert_array_equal(published_labels(torch.from_numpy(cams), 0.5), expected)


def grey(height, width):
    return torch.full((3, height, width), 90, dtype=torch.uint8)


def test_the_class_that_is_likelier_here_than_elsewhere_wins():
    # Class 1 answers a hundred times more weakly; class 2 answers loudest on the right, where it cannot be.
    cams = torch.tensor([[[300.0, 300.0, 100.0, 100.0]], [[1.0, 1.0, 3.0, 3.0]], [[0.0, 0.0, 900.0, 900.0]]])
    allowed = torch.tensor([[[True] * 4], [[True] * 4], [[True, True, False, False]]])
    rule = Competing(threshold=0.5, least_spread=0, diffusion=STILL)
    assert rule.winners(cams, allowed, grey(1, 4), None).tolist() == [[0, 0, 1, 1]]


def test_what_is_not_sure_enough_stays_unlabelled():
    cams = torch.tensor([[[2.0, 0.1, -2.0]], [[-2.0, -0.1, 2.0]]])
    allowed = torch.ones(2, 1, 3, dtype=torch.bool)
    rule = Competing(threshold=0.7, diffusion=STILL)
    assert rule.winners(cams, allowed, grey(1, 3), None).tolist() == [[0, 255, 1]]


def test_pixels_without_candidates_stay_unlabelled_at_any_threshold():
    allowed = torch.zeros(2, 3, 4, dtype=torch.bool)
    allowed[1, 0] = True
    labels = Competing(threshold=0).winners(torch.zeros(2, 3, 4), allowed, grey(3, 4), None)
    assert labels.tolist() == [[1] * 4, [255] * 4, [255] * 4]
    assert labels.dtype == np.uint8


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [
        (PublishedRule, "threshold", 1.5), (Competing, "threshold", -0.1), (Competing, "least_spread", -0.1),
        (Competing, "temperature", 0),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_their_key(rule, key, value):
    with pytest.raises(ConfigError) as caught:
        rule(**{key: value})
    assert (caught.value.key, caught.value.found) == (key, value)


def test_the_image_is_asked_for_where_probabilities_flow():
    assert Competing().needs_image
    assert not Competing(diffusion=STILL).needs_image
    assert not PublishedRule().needs_image
