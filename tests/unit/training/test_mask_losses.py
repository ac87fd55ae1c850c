"""Losses of the mask network against plain arithmetic."""

import math

import numpy as np
import pytest
import torch

from weakpan.masks.mask_net_settings import MaskLossWeights
from weakpan.models.mask_net import MaskOutput
from weakpan.training.mask_losses import mask_losses, outside_loss, pairwise_loss, projection_loss


def box(top, bottom, left, right, size=8):
    inside = torch.zeros(1, size, size)
    inside[:, top:bottom, left:right] = 1
    return inside


def test_outside_loss_is_cross_entropy_outside_and_nothing_inside():
    logits = torch.full((1, 8, 8), 50.0) * box(2, 6, 2, 6)
    expected = (64 - 16) / 64 * math.log(2)
    assert outside_loss(logits, box(2, 6, 2, 6)).item() == pytest.approx(expected)


def test_projection_is_content_with_any_mask_that_touches_all_sides():
    inside = box(1, 6, 2, 7)
    cross = torch.zeros(1, 8, 8)
    cross[:, 3, 2:7] = cross[:, 1:6, 4] = 1
    assert projection_loss(cross, inside).item() == pytest.approx(0, abs=1e-6)
    assert projection_loss(inside, inside).item() == pytest.approx(0, abs=1e-6)
    assert projection_loss(torch.zeros(1, 8, 8), inside).item() == pytest.approx(2)
    # Two of five rows, all of five columns.
    half = box(1, 3, 2, 7)
    assert projection_loss(half, inside).item() == pytest.approx(1 - 2 * 2 / (2 + 5))


def test_projection_does_not_look_outside_the_box():
    inside, everywhere = box(2, 5, 2, 5), torch.ones(1, 8, 8)
    assert projection_loss(everywhere, inside).item() == pytest.approx(0, abs=1e-6)


def plain_pairwise(logits, lab, inside):
    p = 1 / (1 + np.exp(-logits))
    total, count = 0.0, 0
    height, width = p.shape
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 2), (2, 0), (2, 2), (2, -2)):
                v, u = y + dy, x + dx
                if not (0 <= v < height and 0 <= u < width) or not (inside[y, x] or inside[v, u]):
                    continue
                if np.exp(-np.linalg.norm(lab[:, y, x] - lab[:, v, u]) / 5) >= 0.3:
                    total -= np.log(p[y, x] * p[v, u] + (1 - p[y, x]) * (1 - p[v, u]))
                    count += 1
    return total / count


def test_pairwise_loss_is_that_of_every_pair_of_like_neighbours():
    rng = np.random.default_rng(0)
    logits, lab = rng.normal(0, 2, (7, 9)), rng.choice([100.0, 103.0, 140.0], (3, 7, 9), p=[0.5, 0.4, 0.1])
    inside = np.zeros((7, 9))
    inside[2:5, 1:6] = 1
    found = pairwise_loss(*(torch.tensor(a[None]) for a in (logits, lab, inside)))
    assert found.item() == pytest.approx(plain_pairwise(logits, lab, inside))


def test_pairwise_loss_without_like_neighbours_is_nothing_and_has_a_gradient():
    logits = torch.zeros(1, 6, 6, requires_grad=True)
    lab = (torch.arange(36.0) * 40).view(1, 1, 6, 6).expand(1, 3, 6, 6)
    loss = pairwise_loss(logits, lab, torch.ones(1, 6, 6))
    assert loss.item() == 0
    loss.backward()


def batch(front=0.0):
    coordinates = torch.zeros(1, 5, 16, 16)
    coordinates[:, 3, 4:12, 4:12] = 1
    things = torch.zeros(1, 16, 16, dtype=torch.uint8)
    things[:, 4:12, 4:12] = 255
    things[:, 6:10, 6:10] = 1
    return {
        "coordinates": coordinates, "things": things, "front": torch.full((1, 16, 16), front),
        "lab": torch.zeros(1, 3, 16, 16),
    }  # fmt: skip


def test_parts_add_up_with_their_weights_and_unknown_pixels_count_nothing():
    output = MaskOutput(torch.full((1, 1, 4, 4), 1.0), torch.full((1, 1, 4, 4), -0.5))
    weights = MaskLossWeights(outside=2.0, projection=3.0, pairwise=4.0, appearance=5.0)
    parts = mask_losses(output, batch(), weights)
    no, yes = math.log1p(math.exp(1)), math.log1p(math.exp(-1))
    assert parts["thing"].item() == pytest.approx((no * 192 + yes * 16) / 208)
    thing = 1 / (1 + math.exp(-1))
    assert parts["appearance"].item() == pytest.approx(
        thing * math.log1p(math.exp(0.5)) + (1 - thing) * math.log1p(math.exp(-0.5)), rel=1e-5
    )
    expected = parts["thing"] + sum(
        w * parts[name] for name, w in (("outside", 2), ("projection", 3), ("pairwise", 4), ("appearance", 5))
    )
    assert parts["total"].item() == pytest.approx(expected.item())


def test_looks_are_not_asked_where_smaller_boxes_lie():
    output = MaskOutput(torch.full((1, 1, 4, 4), 1.0), torch.full((1, 1, 4, 4), -0.5))
    assert mask_losses(output, batch(front=1.0), MaskLossWeights())["appearance"].item() == 0


def test_looks_teach_the_mask_and_not_the_other_way_round():
    thing, mask = torch.zeros(1, 1, 4, 4, requires_grad=True), torch.zeros(1, 1, 4, 4, requires_grad=True)
    mask_losses(MaskOutput(thing, mask), batch(), MaskLossWeights())["appearance"].backward()
    assert thing.grad is None
    assert mask.grad.abs().sum() > 0 or torch.allclose(mask.detach().sigmoid(), torch.tensor(0.5))
