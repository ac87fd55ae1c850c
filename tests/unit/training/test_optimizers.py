"""Groups of parameters, and any optimizer and schedule of torch."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from weakpan.basics.errors import ConfigError
from weakpan.training.optimizers import make_optimizer, make_schedule
from weakpan.training.schedules import Poly


class Net(nn.Module):
    """An encoder with a head, a bias each, and one frozen layer."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


SGD = partial(torch.optim.SGD, lr=0.1)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_groups(kind):
    net = Net()
    optimizer = make_optimizer(net, net.encoder, partial(kind, lr=0.1, weight_decay=0.01), 0.5)
    assert kind in type(optimizer).__mro__
    found = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    assert found == {
        id(net.encoder.weight): (0.05, 0.01), id(net.encoder.bias): (0.05, 0),
        id(net.head.weight): (0.1, 0.01), id(net.head.bias): (0.1, 0),
        id(net.norm.weight): (0.1, 0), id(net.norm.bias): (0.1, 0),
    }  # fmt: skip


def test_a_network_without_an_encoder_has_one_learning_rate():
    optimizer = make_optimizer(Net(), None, SGD, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.1}


@pytest.mark.parametrize(
    ("factory", "argument"),
    [
        (partial(Poly, power=1.0), None),
        (lr_scheduler.CosineAnnealingLR, "T_max"),
        (partial(lr_scheduler.OneCycleLR, max_lr=0.1), "total_steps"),
        (lr_scheduler.PolynomialLR, "total_iters"),
        (partial(lr_scheduler.StepLR, step_size=3), None),
    ],
)
def test_any_schedule_goes_by_steps_and_knows_their_number(factory, argument):
    optimizer = make_optimizer(Net(), None, SGD, 1.0)
    made = make_schedule(factory, optimizer, 7, "x/loss_total")
    assert made["interval"] == "step"
    assert argument is None or getattr(made["scheduler"], argument) == 7


def test_a_number_of_steps_that_is_given_stays():
    optimizer = make_optimizer(Net(), None, SGD, 1.0)
    made = make_schedule(partial(lr_scheduler.CosineAnnealingLR, T_max=3), optimizer, 7, "x")
    assert made["scheduler"].T_max == 3


def test_a_schedule_that_waits_for_a_plateau_goes_by_epochs_and_watches_the_loss():
    made = make_schedule(lr_scheduler.ReduceLROnPlateau, make_optimizer(Net(), None, SGD, 1.0), 7, "x/loss_total")
    assert (made["interval"], made["monitor"]) == ("epoch", "x/loss_total")


def test_what_torch_refuses_names_its_key():
    with pytest.raises(ConfigError, match="Invalid momentum") as caught:
        make_optimizer(Net(), None, partial(SGD, momentum=-1), 1.0)
    assert caught.value.key == "optimizer"
    optimizer = make_optimizer(Net(), None, SGD, 1.0)
    with pytest.raises(ConfigError) as caught:
        make_schedule(lr_scheduler.StepLR, optimizer, 7, "x")
    assert caught.value.key == "scheduler"
    with pytest.raises(ConfigError) as caught:
        make_schedule(partial(Poly, warmup=2), optimizer, 7, "x")
    assert caught.value.key == "scheduler.warmup"
