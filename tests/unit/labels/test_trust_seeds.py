"""Probabilities of a network mixed with the seeds."""

import numpy as np
import pytest
import torch

from tests.unit.labels.label_cases import catalog_of
from weakpan.basics.errors import ConfigError
from weakpan.data.annotations import ImageAnnotation
from weakpan.labels import ProbabilityContext, TrustSeeds


def mixed(weight, before, seeds):
    context = ProbabilityContext(
        ImageAnnotation("a", 4, 6, (), ()), catalog_of(False, False, False), (), torch.zeros(3, 4, 6), seeds=seeds
    )
    return TrustSeeds(weight)(before.clone(), context)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_pixels_with_a_seed_are_mixed_and_the_others_stay(weight):
    before = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0)).softmax(0)
    seeds = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (4, 6))
    after = mixed(weight, before, seeds)
    for y, x in np.ndindex(4, 6):
        expected = before[:, y, x].clone()
        if seeds[y, x] != 255:
            expected = (1 - weight) * expected + weight * torch.eye(3)[seeds[y, x]]
        torch.testing.assert_close(after[:, y, x], expected)
    torch.testing.assert_close(after.sum(0), torch.ones(4, 6))


def test_it_needs_a_network_and_a_share():
    assert [r for r in range(3) if TrustSeeds().applies_in(r)] == [1, 2]
    with pytest.raises(ConfigError, match=r"weight=1\.5"):
        TrustSeeds(1.5)
