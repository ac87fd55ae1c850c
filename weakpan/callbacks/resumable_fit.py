"""Callbacks that let a training go on as if it had never been interrupted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from weakpan.basics.errors import RunError


class KeepSchedule(pl.Callback):
    """Moves the schedule to where the finished epochs end, counted in the steps of this job.

    Half as many ranks take twice as many steps an epoch: a schedule that went on from the step in the checkpoint would
    end too early or too late. With the same number of ranks this changes nothing. The loop adds it to every fit.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called after the checkpoint has been loaded.

        Raises:
            RunError: a module of one's own has a schedule that goes from step to step and cannot be moved.
        """
        share = trainer.current_epoch / max(1, trainer.max_epochs or 1)
        step = round(share * float(trainer.estimated_stepping_batches))
        for config in trainer.lr_scheduler_configs:
            scheduler = config.scheduler
            if not isinstance(scheduler, LRScheduler) or config.interval != "step" or scheduler.last_epoch == step:
                continue
            if not isinstance(scheduler, LambdaLR):
                raise RunError(
                    f"{type(pl_module).__name__}: its {type(scheduler).__name__} stands at step {scheduler.last_epoch} "
                    f"and would have to go on from {step}, which a LambdaLR alone can do; go on with as many ranks as "
                    "before"
                )
            # `step` counts on from here; the optimizer is told at once, since its next step comes first.
            scheduler.last_epoch = step - 1
            scheduler.step()


class ResumePoint(ModelCheckpoint):
    """Writes FOLDER/resume.ckpt after each epoch. The loop adds it to every fit.

    A class of its own, so that a ModelCheckpoint of the configuration can stand beside it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="resume", enable_version_counter=False, save_on_train_epoch_end=True)


class LastLoss(pl.Callback):
    """Keeps the mean loss of the last finished epoch; it is part of checkpoints. The loop adds it to every fit.

    Without it a fit that was killed after its last epoch, and so has nothing left to do, could not say its loss. The
    module logs the loss under `key`.
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
                f"{self.key.split('/')[0]}.optimizer.lr"
            )
        self.value = value

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"value": self.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.value = state_dict["value"]


class SeedSteps(pl.Callback):
    """Seeds torch before each training step by (seed, epoch, step, rank); the seed is 0 or larger.

    A checkpoint does not hold the state of the generators, and loaders draw from them too: without this, dropout would
    drop other features after a resume, and the weights would differ from those of an uninterrupted training. The loop
    adds it to every fit.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Seed all devices of this process."""
        sequence = np.random.SeedSequence((self.seed, trainer.current_epoch, batch_idx, trainer.global_rank))
        torch.manual_seed(int(sequence.generate_state(1)[0]))
