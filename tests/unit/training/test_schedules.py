"""Learning rates over a fit."""

import itertools

import pytest
import torch

from weakpan.basics.errors import ConfigError
from weakpan.training.schedules import Poly, poly_factor


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


def test_the_schedule_sets_the_rates_of_its_optimizer():
    optimizer, rates = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), []
    schedule = Poly(optimizer, steps=4, power=1.0, warmup=0.0)
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025, 0])


@pytest.mark.parametrize("arguments", [{"power": -1}, {"warmup": 2}])
def test_a_value_out_of_range_is_refused(arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ConfigError) as caught:
        Poly(optimizer, steps=4, **arguments)
    assert caught.value.key == next(iter(arguments))
