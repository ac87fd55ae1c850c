"""The training loss of the last epoch, which survives a restart."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl

from weakpan.errors import RunError


class LastLoss(pl.Callback):
    """Keeps the mean loss of the last finished epoch; it is part of checkpoints. The loop adds it to every fit.

    Without it a fit that was killed after its last epoch, and so has nothing left to do, could not say its loss.

    Args:
        key: under which the module logs the loss.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.value: float | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Take the loss over before the checkpoint of the epoch is written.

        Raises:
            RunError: the loss is not finite; the checkpoint of the epoch before stays.
        """
        value = float(trainer.callback_metrics[self.key])
        if not math.isfinite(value):
            raise RunError(
                f"{self.key} is {value} after epoch {trainer.current_epoch + 1}: training diverged; lower "
                f"{self.key.split('/')[0]}.optimiser.learning_rate"
            )
        self.value = value

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"value": self.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.value = state_dict["value"]
