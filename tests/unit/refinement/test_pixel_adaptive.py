"""Probabilities that flow between pixels of like colour."""

import numpy as np
import pytest
import torch

from weakpan.basics.errors import ConfigError
from weakpan.refinement.pixel_adaptive import diffuse
from weakpan.refinement.settings import DiffusionSettings

EVERYTHING = torch.ones(2, 24, 32, dtype=torch.bool)


def two_halves(column=16):
    """Dark on the left, light on the right."""
    image = torch.full((3, 24, 32), 40, dtype=torch.uint8)
    image[:, :, column:] = 200
    return image


def certain_at(places):
    """Even odds, but for (class, row, column) that are certain."""
    probabilities = torch.full((2, 24, 32), 0.5)
    for class_id, y, x in places:
        probabilities[class_id, y, x], probabilities[1 - class_id, y, x] = 1.0, 0.0
    return probabilities


def slow_diffusion(probabilities, image, steps, reaches, contrast):
    """The definition at the image's own size."""
    _, height, width = probabilities.shape
    colours, current = image / 255.0, probabilities.copy()
    offsets = [(y, x) for d in reaches for y in (-d, 0, d) for x in (-d, 0, d) if (y, x) != (0, 0)]

    def at(y, x, offset):
        return min(max(y + offset[0], 0), height - 1), min(max(x + offset[1], 0), width - 1)

    for _ in range(steps):
        following = np.zeros_like(current)
        for y, x in np.ndindex(height, width):
            near = [at(y, x, offset) for offset in offsets]
            window = np.array([colours[:, a, b] for a, b in [*near, (y, x)]])
            deviation = window.std(axis=0, ddof=1) + 1e-3
            distances = [np.mean(np.abs(colours[:, a, b] - colours[:, y, x]) / (contrast * deviation)) for a, b in near]
            weights = np.exp(-np.array(distances))
            following[:, y, x] = sum(w * current[:, a, b] for w, (a, b) in zip(weights, near, strict=True)) / sum(
                weights
            )
        current = following
    return current


def test_the_flow_against_its_definition():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (3, 16, 17)).astype(np.uint8)
    probabilities = rng.dirichlet([1, 1, 1], (16, 17)).transpose(2, 0, 1).astype(np.float32)
    settings = DiffusionSettings(steps=3, side=16, reaches=[1, 3], contrast=0.5)
    allowed = torch.ones(3, 16, 17, dtype=torch.bool)
    found = diffuse(torch.from_numpy(probabilities), allowed, torch.from_numpy(image), settings)
    np.testing.assert_allclose(found, slow_diffusion(probabilities, image, 3, [1, 3], 0.5), atol=1e-5)


def test_a_region_follows_its_seed_and_the_border_holds():
    seeds = certain_at([(0, 12, 5), (1, 12, 27)])
    found = diffuse(seeds, EVERYTHING, two_halves(), DiffusionSettings(steps=60, side=24, reaches=[1, 2]))
    assert (found[0, :, :15] > 0.5).all()
    assert (found[1, :, 17:] > 0.5).all()
    torch.testing.assert_close(found.sum(dim=0), torch.ones(24, 32))


def test_a_small_image_is_worked_on_and_given_back_at_its_own_size():
    probabilities, image = torch.full((2, 96, 130), 0.5), torch.full((3, 96, 130), 40, dtype=torch.uint8)
    probabilities[0, :, :20], probabilities[1, :, :20] = 0.9, 0.1
    image[:, :, 60:] = 220
    allowed = torch.ones(2, 96, 130, dtype=torch.bool)
    found = diffuse(probabilities, allowed, image, DiffusionSettings(steps=40, side=24))
    assert found.shape == (2, 96, 130)
    # The dark side shares what its left edge knows; the light side has nothing to share.
    assert (found[0, :, :52] > 0.52).all()
    torch.testing.assert_close(found[0, :, 80:], torch.full((96, 50), 0.5), atol=5e-3, rtol=0)


def test_classes_that_cannot_be_there_get_nothing():
    allowed = EVERYTHING.clone()
    allowed[0, :, 20:] = False
    allowed[:, :3] = False
    image = torch.full((3, 24, 32), 77, dtype=torch.uint8)
    found = diffuse(certain_at([(0, 12, 5)]) * allowed, allowed, image, DiffusionSettings(side=24))
    assert not found[0, :, 20:].any()
    assert not found[:, :3].any()
    torch.testing.assert_close(found[1, 3:, 20:], torch.ones(21, 12))
    assert torch.isfinite(found).all()


def test_no_steps_change_nothing():
    seeds = certain_at([(1, 2, 3)])
    assert diffuse(seeds, EVERYTHING, two_halves(), DiffusionSettings(steps=0)) is seeds
    nothing = torch.zeros(2, 24, 32)
    assert not diffuse(nothing, EVERYTHING & False, two_halves(), DiffusionSettings()).any()


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", -1), ("side", 8), ("reaches", []), ("reaches", [0]), ("reaches", [40]), ("contrast", 0)],
)
def test_values_out_of_range_are_refused_by_their_key(key, value):
    with pytest.raises(ConfigError) as caught:
        DiffusionSettings(**{key: value})
    assert caught.value.key == key
