"""What predict.py may be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import check_values, to_object
from weakpan.config.data import OnError


@dataclass
class PredictConfig:
    """Everything that predict.py can be told.

    Attributes:
        run: run folder of train.py; null where `checkpoint` is given.
        round: use this round of the run; null for the last finished one.
        checkpoint: last.ckpt of a round, in its place within the run folder; null where `run` is given.
        input: folder of photographs of any size; null for a split of the run's data set.
        split: folder name of that split.
        data_root: where the run's data set lies now; null for where the run had it.
        out: folder that results are written to; new, empty, or that of the same command, which then goes on.
        overlays: write pictures with the prediction on top.
        on_error: stop at the first photograph that cannot be read, or read all of them whole before the first
            prediction, leave such out and list them at the end.
        workers: loader processes.
        trainer: arguments of the Lightning Trainer in place of the run's; null leaves an argument as it was.
    """

    run: str | None = None
    round: int | None = None
    checkpoint: str | None = None
    input: str | None = None
    split: str | None = None
    data_root: str | None = None
    out: str = MISSING
    overlays: bool = True
    on_error: OnError = OnError.stop
    workers: int = 2
    trainer: dict[str, Any] = field(default_factory=dict)


def to_predict_config(composed: DictConfig) -> PredictConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = to_object(PredictConfig, composed)
    if (config.input is None) == (config.split is None):
        raise ConfigError("give either input=FOLDER or split=NAME (a split of the run's data set), and not both")
    if (config.run is None) == (config.checkpoint is None):
        raise ConfigError("give either run=FOLDER (a run folder of train.py) or checkpoint=FILE, and not both")
    if config.checkpoint is not None and config.round is not None:
        raise ConfigError(f"round={config.round} belongs to run=FOLDER; checkpoint={config.checkpoint} is of one round")
    if config.data_root is not None and config.split is None:
        raise ConfigError(f"data_root={config.data_root} belongs to split=NAME, and not to input=FOLDER")
    check_values({"round": config.round or 0, "workers": config.workers}, lambda v: v >= 0, "0 or more")
    return config
