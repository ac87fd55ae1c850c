"""Optimizer and schedule of a module, from what the configuration names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from weakpan.basics.errors import ConfigError, WeakpanError, one_line

OptimizerFactory = Callable[..., Optimizer]
"""Makes an optimizer of parameter groups, as `functools.partial(torch.optim.AdamW, lr=1e-3)` does."""

SchedulerFactory = Callable[..., LRScheduler]
"""Makes a schedule of an optimizer, as `functools.partial(Poly, power=0.9)` does."""

_STEPS = ("steps", "total_steps", "T_max", "total_iters")
"""What schedules call the number of steps of the whole fit, which nobody knows before it begins."""


def parameter_groups(module: nn.Module, encoder: nn.Module | None) -> list[tuple[bool, bool, list[nn.Parameter]]]:
    """Trainable parameters in groups, in the order of the module: in the encoder or not, with weight decay or not.

    Weights of more than one dimension decay; biases and normalisation do not.
    """
    of_encoder = set() if encoder is None else {id(p) for p in encoder.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in of_encoder, parameter.ndim > 1), []).append(parameter)
    return [(in_encoder, decays, group) for (in_encoder, decays), group in groups.items()]


def make_optimizer(
    module: nn.Module, encoder: nn.Module | None, factory: OptimizerFactory, encoder_lr_factor: float
) -> Optimizer:
    """An optimizer of the trainable parameters.

    Args:
        module: whose parameters are learned.
        encoder: part of it with a learning rate of its own.
        factory: of the optimizer.
        encoder_lr_factor: the encoder's learning rate as a share of that of the others.

    Raises:
        ConfigError: what the optimizer says of its arguments; key `optimizer`.
    """
    groups = parameter_groups(module, encoder)
    optimizer: Optimizer = _made("optimizer", lambda: factory([{"params": parameters} for _, _, parameters in groups]))
    for group, (in_encoder, decays, _) in zip(optimizer.param_groups, groups, strict=True):
        if in_encoder:
            group["lr"] = group["lr"] * encoder_lr_factor
        if not decays and "weight_decay" in group:
            group["weight_decay"] = 0.0
    return optimizer


def make_schedule(factory: SchedulerFactory, optimizer: Optimizer, steps: int, monitor: str) -> dict[str, Any]:
    """A schedule in the form that Lightning expects; it goes by steps, one that waits for a plateau by epochs.

    Args:
        factory: of the schedule; an argument `steps`, `total_steps`, `T_max` or `total_iters` that it leaves open is
            filled in.
        optimizer: whose rates are set.
        steps: of the whole fit.
        monitor: name under which the loss is logged.

    Raises:
        ConfigError: what the schedule says of its arguments; key `scheduler`.
    """
    given = getattr(factory, "keywords", {})
    known = inspect.signature(factory).parameters
    filled = {name: max(1, steps) for name in _STEPS if name in known and name not in given}
    scheduler = _made("scheduler", lambda: factory(optimizer, **filled))
    interval = "epoch" if isinstance(scheduler, ReduceLROnPlateau) else "step"
    return {"scheduler": scheduler, "interval": interval, "monitor": monitor}


def _made(key: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except WeakpanError as error:
        raise error.below(key) from error
    except Exception as error:  # whatever a class of torch, or of somebody else, raises
        raise ConfigError(f"cannot be built: {one_line(f'{type(error).__name__}: {error}')}", key=key) from error
