"""Competition of classes for pixels, against the definition."""

import numpy as np
import pytest
import torch

from weakpan.seeds.evidence import class_probabilities


def slow_probabilities(cams, allowed, temperature, least_spread):
    classes, height, width = cams.shape
    scores, spreads = np.zeros_like(cams), np.zeros(classes)
    for c in range(classes):
        values = cams[c][allowed[c]]
        spreads[c] = values.std() if len(values) else 0
        scores[c] = cams[c] - (values.mean() if len(values) else 0)
    spreads = np.maximum(spreads, least_spread * spreads.max())
    result = np.zeros_like(cams)
    for y, x in np.ndindex(height, width):
        possible = np.flatnonzero(allowed[:, y, x])
        power = np.exp(scores[possible, y, x] / (temperature * spreads[possible]))
        result[possible, y, x] = power / power.sum() if len(possible) else 0
    return result


@pytest.mark.parametrize(("temperature", "least_spread"), [(0.5, 0.5), (1.0, 0.0), (2.0, 1.0)])
def test_probabilities_against_the_definition(temperature, least_spread):
    rng = np.random.default_rng(3)
    cams = rng.normal(size=(4, 6, 7)) * np.array([1, 5, 0.3, 2])[:, None, None]
    allowed = rng.random((4, 6, 7)) > 0.4
    allowed[:, 2, 3] = False
    found = class_probabilities(torch.from_numpy(cams), torch.from_numpy(allowed), temperature, least_spread)
    np.testing.assert_allclose(found, slow_probabilities(cams, allowed, temperature, least_spread), atol=1e-9)
    assert not found[:, 2, 3].any()


def test_neither_scale_nor_offset_of_a_class_matters():
    torch.manual_seed(0)
    cams, allowed = torch.randn(3, 5, 6), torch.rand(3, 5, 6) > 0.3
    changed = cams * torch.tensor([1.0, 40.0, 0.02])[:, None, None] + torch.tensor([0.0, 7.0, -1.0])[:, None, None]
    one, other = (class_probabilities(c, allowed, 0.5, 0.0) for c in (cams, changed))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_class_without_any_contrast_does_not_have_its_noise_blown_up():
    cams = torch.stack([torch.linspace(-1, 1, 8), torch.tensor([1e-6, -1e-6] * 4)])[:, None]
    found = class_probabilities(cams, torch.ones(2, 1, 8, dtype=torch.bool), 0.5, 0.5)
    assert (found[1, 0].diff() < 0).all()


def test_a_single_candidate_is_certain_and_silence_is_even():
    allowed = torch.tensor([[[True, True]], [[False, True]]])
    found = class_probabilities(torch.zeros(2, 1, 2), allowed, 0.5, 0.5)
    assert found.tolist() == [[[1.0, 0.5]], [[0.0, 0.5]]]
