"""Learning rates and groups of parameters."""

import itertools

import pytest
import torch
from torch import nn

from weakpan.training.optimisers import configure, poly_factor
from weakpan.training.settings import OptimiserSettings


def test_poly_decay_as_published():
    assert [poly_factor(step, 10, 0.9, 0.0) for step in (0, 5, 10, 15)] == pytest.approx([1, 0.5**0.9, 0, 0])


def test_warmup_rises_to_the_decay():
    factors = [poly_factor(step, 100, 0.9, 0.1) for step in range(101)]
    assert factors[:10] == pytest.approx([(k + 1) / 11 for k in range(10)])
    assert all(a < b for a, b in itertools.pairwise(factors[:10]))
    assert factors[10] == pytest.approx(0.9**0.9)
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))
    assert factors[-1] == 0


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 0.05), (1, 1.0), (3, 1.0), (0, 0.5)])
def test_short_fits_have_a_valid_schedule(steps, warmup):
    for step in range(steps + 2):
        assert 0 <= poly_factor(step, steps, 0.9, warmup) <= 1
    if steps:
        assert poly_factor(0, steps, 0.9, warmup) > 0


class Net(nn.Module):
    """An encoder with a head, a bias each, and one frozen layer."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_groups(name):
    net = Net()
    settings = OptimiserSettings(name=name, learning_rate=0.1, encoder_factor=0.5, weight_decay=0.01, warmup=0)
    configured = configure(net, net.encoder, settings, steps=10)
    optimiser = configured["optimizer"]
    assert type(optimiser).__name__ == {"adamw": "AdamW", "sgd": "SGD"}[name]
    found = {
        id(p): (group["initial_lr"], group["weight_decay"]) for group in optimiser.param_groups for p in group["params"]
    }
    expected = {
        id(net.encoder.weight): (0.05, 0.01), id(net.encoder.bias): (0.05, 0),
        id(net.head.weight): (0.1, 0.01), id(net.head.bias): (0.1, 0),
        id(net.norm.weight): (0.1, 0), id(net.norm.bias): (0.1, 0),
    }  # fmt: skip
    assert found == expected


def test_the_schedule_goes_by_steps():
    net = Net()
    configured = configure(net, net.encoder, OptimiserSettings(learning_rate=0.1, warmup=0, power=1.0), steps=4)
    assert configured["lr_scheduler"]["interval"] == "step"
    schedule, rates = configured["lr_scheduler"]["scheduler"], []
    for _ in range(5):
        rates.append(configured["optimizer"].param_groups[0]["lr"])
        configured["optimizer"].step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025, 0])


def test_momentum_is_the_published_one():
    net = Net()
    optimiser = configure(net, net.encoder, OptimiserSettings(name="sgd"), steps=4)["optimizer"]
    assert {group["momentum"] for group in optimiser.param_groups} == {0.9}
    assert torch.optim.SGD in type(optimiser).__mro__
