"""Optimiser and schedule, from settings."""

from __future__ import annotations

from typing import Any

from torch import nn, optim

from weakpan.training.settings import OptimiserSettings


def poly_factor(step: int, steps: int, power: float, warmup: float) -> float:
    """Share of the highest learning rate at a step, 0..1: linear warm-up, then polynomial decay to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return float((1 - min(step, steps) / max(1, steps)) ** power)


def configure(heads: nn.Module, encoder: nn.Module, settings: OptimiserSettings, steps: int) -> dict[str, Any]:
    """Optimiser and per-step schedule in the form that Lightning expects.

    Args:
        heads: the whole network; the parameters of `encoder` are left out of its group.
        encoder: part of the network with a learning rate of its own.
        settings: see `OptimiserSettings`.
        steps: of the whole fit.
    """
    of_encoder = {id(p) for p in encoder.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in heads.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in of_encoder, parameter.ndim > 1), []).append(parameter)
    parameters = [
        {
            "params": group,
            "lr": settings.learning_rate * (settings.encoder_factor if in_encoder else 1.0),
            "weight_decay": settings.weight_decay if decays else 0.0,
        }
        for (in_encoder, decays), group in groups.items()
    ]
    optimiser: optim.Optimizer = (
        optim.SGD(parameters, momentum=0.9) if settings.name == "sgd" else optim.AdamW(parameters)
    )
    schedule = optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: poly_factor(step, steps, settings.power, settings.warmup)
    )
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
