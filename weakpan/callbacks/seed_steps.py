"""Random numbers of a training that do not depend on where it was interrupted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch


class SeedSteps(pl.Callback):
    """Seeds torch before each training step by (seed, epoch, step, rank).

    A checkpoint does not hold the state of the generators, and loaders draw from them too: without this, dropout would
    drop other features after a resume, and the weights would differ from those of an uninterrupted training. The loop
    adds it to every fit.

    Args:
        seed: of the training, 0 or larger.
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
