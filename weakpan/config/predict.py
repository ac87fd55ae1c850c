"""What predict.py may be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import at_least, setting
from weakpan.config.compose import to_object
from weakpan.config.data import OnError


@dataclass
class PredictConfig:
    """Everything that predict.py can be told.

    Attributes:
        run: run folder of train.py; null where `checkpoint` is given.
        round: use this round of the run; null for the last finished one.
        checkpoint: last.ckpt of a round, wherever it lies now; null where `run` is given.
        trust: packages beside ours whose code a checkpoint may name.
        input: folder of images of any size; null for a split of the data set that the model was trained on.
        split: folder name of that split.
        data_root: where the data set lies now; null for where it was trained.
        out: folder that results are written to; new, empty, or that of the same command, which then goes on.
        overlays: write pictures with the prediction on top.
        on_error: stop at the first image that cannot be read, or read all of them whole before the first prediction,
            leave such out and list them at the end.
        workers: loader processes.
        verbose: say also what helps to find faults.
        quiet: say nothing but warnings and errors.
        trainer: arguments of the Lightning Trainer.
    """

    run: str | None = None
    round: int | None = setting(None, at_least(0))
    checkpoint: str | None = None
    trust: list[str] = field(default_factory=list)
    input: str | None = None
    split: str | None = None
    data_root: str | None = None
    out: str = MISSING
    overlays: bool = True
    on_error: OnError = OnError.stop
    workers: int = setting(2, at_least(0))
    verbose: bool = False
    quiet: bool = False
    trainer: dict[str, Any] = field(default_factory=dict)


def to_predict_config(composed: DictConfig) -> PredictConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = to_object(PredictConfig, composed)
    if (config.input is None) == (config.split is None):
        raise ConfigError("give either input=FOLDER or split=NAME (a split of the data set), and not both")
    if (config.run is None) == (config.checkpoint is None):
        raise ConfigError("give either run=FOLDER (a run folder of train.py) or checkpoint=FILE, and not both")
    if config.checkpoint is not None and config.round is not None:
        raise ConfigError(
            f"belongs to run=FOLDER; checkpoint={config.checkpoint} is of one round", key="round", found=config.round
        )
    if config.data_root is not None and config.split is None:
        raise ConfigError("belongs to split=NAME, and not to input=FOLDER", key="data_root", found=config.data_root)
    return config
