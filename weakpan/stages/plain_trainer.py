"""A Trainer outside a run of train.py: one device, no logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl

from weakpan.callbacks.progress import StageProgress
from weakpan.parallel.ranks import enter_stage


def plain_trainer(stage: str, callbacks: Sequence[pl.Callback], **more: Any) -> pl.Trainer:
    """A fresh Trainer on a GPU if there is one.

    Args:
        stage: name for progress lines.
        callbacks: of this stage.
        more: overrides the arguments.
    """
    enter_stage(stage)
    arguments = {
        "accelerator": "auto",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "use_distributed_sampler": False,
        "callbacks": [*callbacks, StageProgress(stage)],
        **more,
    }
    return pl.Trainer(**arguments)
