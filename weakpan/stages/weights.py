"""Weights of a run as checkpoints that stand alone, and back into a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import CLASSIFIER
from weakpan.stages.supervision import supervision_used
from weakpan.storage.checkpoints import Checkpoint, read_checkpoint


def save_weights(
    experiment: Experiment, module: pl.LightningModule, stage: str, figures: dict[str, Any], path: Path
) -> None:
    """Write the weights of a stage, `classifier` or `segmenter`, and all that is needed to use them elsewhere."""
    config = experiment.config
    root = Path(config.data.root).absolute()  # it means the same wherever the file is read
    data: dict[str, Any] = {"name": config.data.name, "root": str(root), "val_split": config.data.val_split}
    data |= {"listed": _listed(experiment)}
    data |= {"crop": {"height": config.data.crop.height, "width": config.data.crop.width}}
    data |= {"files": dict(vars(config.data.files))}
    if stage == CLASSIFIER:
        grid = experiment.weak.grid
        data["crop"] = {"height": grid.height, "width": grid.width}
    node = getattr(config, stage)
    used = supervision_used(experiment)
    Checkpoint(stage, node, experiment.catalog, data, used, figures, module.state_dict()).write(path)


def _listed(experiment: Experiment) -> dict[str, list[str]]:
    """Ids of the splits that lists restrict, by split: scores are comparable only on the same images."""
    data = experiment.config.data
    listed = {data.train_split: experiment.train.ids} if data.train_list is not None else {}
    if data.val_list is not None and experiment.val is not None:
        listed |= {experiment.val.split: experiment.val.ids}
    return {split: list(ids) for split, ids in listed.items()}


def load_weights(module: pl.LightningModule, path: Path, stage: str) -> Checkpoint:
    """Load weights into a module; raises DataError for a missing or damaged file, or one of another network."""
    checkpoint = read_checkpoint(path, stage)
    checkpoint.load_into(module, path)
    return checkpoint
