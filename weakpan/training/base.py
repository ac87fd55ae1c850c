"""Base class of the LightningModules: a network, named loss terms, any optimizer and schedule of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import at_least, check_value
from weakpan.training.losses.term import LossContext, LossTerm
from weakpan.training.optimizers import OptimizerFactory, SchedulerFactory, make_optimizer, make_schedule


class TrainingModule(pl.LightningModule):
    """Network, losses and optimizer in named slots.

    A module of one's own fills `configure_losses`, `configure_metrics` and `configure_models`, which are called in this
    order, or `configure_optimizers` otherwise.

    Args:
        network: the plain module.
        losses: terms by name; None, or a weight of 0, switches one off.
        optimizer: makes an optimizer of parameter groups, as `functools.partial(torch.optim.AdamW, lr=1e-3)` does. Its
            weight decay is not for biases and normalisation.
        scheduler: makes a schedule of an optimizer; None for a constant rate.
        encoder_lr_factor: the encoder's learning rate as a share of that of the others, 0 or more.

    Attributes:
        name: of the module in logs: losses are `NAME/loss_TERM`, and `NAME/loss_total` is their weighted sum.

    Raises:
        ConfigError: a value out of range, or no loss.
    """

    name = "module"
    network: nn.Module

    def __init__(
        self,
        network: nn.Module,
        losses: Any,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        encoder_lr_factor: float = 1.0,
    ) -> None:
        super().__init__()
        check_value("encoder_lr_factor", encoder_lr_factor, at_least(0))
        self.network = network
        self.optimizer, self.scheduler, self.encoder_lr_factor = optimizer, scheduler, encoder_lr_factor
        self.configure_losses(losses)
        self.configure_metrics()
        self.configure_models()

    def configure_losses(self, losses: Any) -> None:
        """Keep the terms that count, as `self.losses`; raises ConfigError where none does."""
        terms: Mapping[str, LossTerm | None] = losses
        self.losses = nn.ModuleDict({k: t for k, t in terms.items() if t is not None and t.weight > 0})
        if not self.losses:
            raise ConfigError("expected a term with a weight above 0", key="losses")

    def configure_metrics(self) -> None:
        """Nothing: figures are computed by callbacks."""

    def configure_models(self) -> None:
        """Freeze what no loss reaches: several ranks would wait for its gradients."""
        branches: Mapping[str, tuple[str, ...]] = getattr(self.network, "branches", {})
        taught: set[str] = set()
        for term in self.losses.values():
            assert isinstance(term, LossTerm)
            taught |= set(branches if term.teaches is None else term.teaches)
        needed = {part for output, parts in branches.items() if output in taught for part in parts}
        for part in {part for parts in branches.values() for part in parts} - needed:
            # A network that is derived from ours may do without.
            found = getattr(self.network, part, None)
            if found is not None:
                found.requires_grad_(False)

    @property
    def encoder(self) -> nn.Module | None:
        """Part of the network that `encoder_lr_factor` is for; None where it has none."""
        return getattr(self.network, "encoder", None)

    def losses_of(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> dict[str, Tensor]:
        """Values of the terms by name, unweighted, and their weighted sum as `total`.

        Raises:
            ConfigError: the batch lacks what a term needs.
        """
        values: dict[str, Tensor] = {}
        weighted: list[Tensor] = []
        for name, term in self.losses.items():
            assert isinstance(term, LossTerm)
            lacking = [key for key in term.needs if key not in batch]
            if lacking:
                raise ConfigError(
                    f"needs {', '.join(lacking)}, which batches do not hold", key=f"{self.name}.losses.{name}"
                )
            value = term(output, batch, context)
            if value is not None:
                values[name] = value
                weighted.append(term.weight * value)
        first, *others = weighted
        total = first + sum(others, start=torch.zeros_like(first))
        return {**values, "total": total}

    def log_losses(self, values: Mapping[str, Tensor], batch_size: int) -> None:
        """Log values of `losses_of` as means over the epoch."""
        for name, value in values.items():
            key = f"{self.name}/loss_{name}"
            self.log(key, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=batch_size)

    def make_optimizers(self, steps: int) -> dict[str, Any]:
        """Optimizer and schedule for a fit of so many steps; raises ConfigError for what they do not take."""
        made: dict[str, Any] = {"optimizer": make_optimizer(self, self.encoder, self.optimizer, self.encoder_lr_factor)}
        if self.scheduler is not None:
            monitor = f"{self.name}/loss_total"
            made["lr_scheduler"] = make_schedule(self.scheduler, made["optimizer"], steps, monitor)
        return made

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule over the whole fit."""
        return self.make_optimizers(int(self.trainer.estimated_stepping_batches))
