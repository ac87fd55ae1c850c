"""Learning-rate schedules of our own; a configuration may name any of torch's instead."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from weakpan.basics.settings import at_least, between, check_value


def poly_factor(step: int, steps: int, power: float, warmup: float) -> float:
    """Share of the highest learning rate at a step, 0..1: linear warm-up, then polynomial decay to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return float((1 - min(step, steps) / max(1, steps)) ** power)


class Poly(LambdaLR):
    """Polynomial decay `(1 - step / steps) ** power`, as published for PSPNet, after a linear rise.

    Args:
        optimizer: whose rates are set.
        steps: of the whole fit; filled in by the module.
        power: 0 or more.
        warmup: share of the steps over which the rate rises linearly from 0, 0..1.

    Raises:
        ConfigError: a value out of range.
    """

    def __init__(self, optimizer: Optimizer, steps: int, power: float = 0.9, warmup: float = 0.05) -> None:
        check_value("power", power, at_least(0))
        check_value("warmup", warmup, between(0, 1))
        super().__init__(optimizer, lambda step: poly_factor(step, steps, power, warmup))
