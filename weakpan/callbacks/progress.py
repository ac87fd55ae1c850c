"""Progress of long stages as lines that read well on a terminal and in a log file."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from weakpan.basics.console import clock

log = logging.getLogger(__name__)


class StageProgress(pl.Callback):
    """Prints a line an epoch, and one now and then within long epochs and predictions, with the time left.

        callbacks:
          progress: {_target_: weakpan.callbacks.progress.StageProgress, every_seconds: 20}

    Args:
        stage: name in front of each line; the loop sets it.
        every_seconds: least time between two lines within an epoch.
    """

    def __init__(self, stage: str = "", every_seconds: float = 20.0) -> None:
        self.stage, self.every_seconds = stage, every_seconds
        self._start = self._last = 0.0
        self._first_step = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock, at the step that a resumed fit begins with."""
        self._start = self._last = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Say now and then how far the epoch is."""
        last_of_epoch = trainer.is_last_batch
        if trainer.is_global_zero and not last_of_epoch and time.monotonic() - self._last > self.every_seconds:
            self._say_epoch(trainer, f"step {batch_idx + 1}/{trainer.num_training_batches}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say the losses of the epoch."""
        if trainer.is_global_zero:
            self._say_epoch(trainer, _losses(trainer.callback_metrics))

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._start = self._last = time.monotonic()

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Say now and then how many images are done."""
        total = int(sum(trainer.num_predict_batches))
        done = batch_idx + 1
        if trainer.is_global_zero and (time.monotonic() - self._last > self.every_seconds or done == total):
            self._say(f"image {done}/{total}", done, total)

    def _say_epoch(self, trainer: pl.Trainer, what: str) -> None:
        done, total = trainer.global_step - self._first_step, int(trainer.estimated_stepping_batches) - self._first_step
        self._say(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {what}", done, total)

    def _say(self, what: str, done: int, total: int) -> None:
        self._last = time.monotonic()
        elapsed = self._last - self._start
        left = elapsed / max(1, done) * max(0, total - done)
        log.info("%s: %s [%s, %s left]", self.stage, what, clock(elapsed), clock(left))


def _losses(metrics: Mapping[str, Any]) -> str:
    # Callbacks of the configuration may log other figures.
    named = ((key.partition("/loss_")[2], float(value)) for key, value in metrics.items())
    return " ".join(f"{name} {value:.4f}" for name, value in sorted(named) if name)
