"""Probabilities that satisfy the tags and stay near those of the network."""

import numpy as np
import torch

from weakpan.refinement.tag_posterior import cells_inside, tag_multipliers, tilted

ROWS, COLUMNS = np.arange(2, 16, 4), np.arange(2, 24, 4)
AREAS = [(slice(0, 16), slice(0, 14)), (slice(0, 16), slice(10, 24))]


def case(seed=0, classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(24, classes, generator=generator)
    logits[:, 3] -= 8  # hardly anywhere
    allowed = torch.rand(24, classes, generator=generator) > 0.2
    inside = cells_inside(AREAS, ROWS, COLUMNS)
    required = torch.zeros(2, classes, dtype=torch.bool)
    required[0, 3] = required[1, 0] = True
    return logits, allowed, inside, required


def test_cells_lie_in_the_rectangles_of_their_middles():
    inside = cells_inside(AREAS, ROWS, COLUMNS).reshape(2, 4, 6)
    assert inside[0].tolist() == [[1, 1, 1, 0, 0, 0]] * 4
    assert inside[1].tolist() == [[0, 0, 1, 1, 1, 1]] * 4


def test_every_tag_gets_its_share_and_nothing_that_it_cannot_have():
    logits, allowed, inside, required = case()
    share = 0.3
    pull = tag_multipliers(logits, allowed, inside, required, share, steps=200)
    q = tilted(logits, allowed, inside, pull)
    assert (pull >= 0).all()
    assert (pull[~required] == 0).all()
    assert (q[~allowed] == 0).all()
    np.testing.assert_allclose(q.sum(dim=1)[allowed.any(dim=1)], 1, rtol=1e-5)
    have, need = inside @ q, share * (inside @ allowed.float())
    assert (have[required] >= need[required] * 0.99).all()
    before = inside @ tilted(logits, allowed, inside, torch.zeros_like(pull))
    assert before[0, 3] < need[0, 3], "otherwise nothing is asked"


def test_it_is_the_nearest_of_all_that_satisfy_them():
    logits, allowed, inside, required = case(seed=1)
    p = tilted(logits, allowed, inside, torch.zeros(2, 4)).double()
    q = tilted(logits, allowed, inside, tag_multipliers(logits, allowed, inside, required, 0.2, steps=400)).double()

    def divergence(r):
        return torch.where(r > 0, r * (r / p.clamp_min(1e-300)).log(), 0).sum()

    need = 0.2 * (inside @ allowed.float()).double()
    generator = torch.Generator().manual_seed(2)
    tried = 0
    for _ in range(400):
        noise = torch.rand(q.shape, generator=generator, dtype=torch.float64) * allowed
        other = 0.98 * q + 0.02 * noise / noise.sum(dim=1, keepdim=True).clamp_min(1e-9)
        if ((inside.double() @ other)[required] >= need[required]).all():
            tried += 1
            assert divergence(other) >= divergence(q) - 1e-3
    assert tried > 50


def test_tags_that_are_satisfied_change_nothing():
    logits, allowed, inside, _ = case()
    required = (inside @ tilted(logits, allowed, inside, torch.zeros(2, 4))) > 0.06 * (inside @ allowed.float())
    assert required.any()
    assert not tag_multipliers(logits, allowed, inside, required, 0.05).any()


def test_a_tag_without_any_place_is_left_alone():
    logits, allowed, inside, required = case()
    allowed[:, 3] = False
    pull = tag_multipliers(logits, allowed, inside, required, 0.05)
    assert pull[0, 3] == 0
    assert torch.isfinite(tilted(logits, allowed, inside, pull)).all()
