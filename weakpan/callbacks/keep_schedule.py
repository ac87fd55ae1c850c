"""A learning-rate schedule that fits the number of ranks that a training goes on with."""

from __future__ import annotations

import pytorch_lightning as pl
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from weakpan.errors import RunError


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
            # `step` counts on from here; the optimiser is told at once, since its next step comes first.
            scheduler.last_epoch = step - 1
            scheduler.step()
