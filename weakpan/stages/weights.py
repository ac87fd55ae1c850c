"""Weights of a run as checkpoints that stand alone, and back into a module; what supervision stands behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from weakpan.config.train import Supervision
from weakpan.data.annotations import BoxKind
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import CLASSIFIER
from weakpan.storage.checkpoints import Checkpoint, read_checkpoint


def save_weights(
    experiment: Experiment, module: pl.LightningModule, stage: str, figures: dict[str, Any], path: Path
) -> None:
    """Write the weights of a stage, `classifier` or `segmenter`, and all that is needed to use them elsewhere."""
    config = experiment.config
    root = Path(config.data.root).absolute()  # it means the same wherever the file is read
    crop = experiment.weak.grid if stage == CLASSIFIER else config.data.crop
    data = {
        "name": config.data.name,
        "root": str(root),
        "val_split": config.data.val_split,
        "listed": _listed(experiment),
        "crop": {"height": crop.height, "width": crop.width},
        "files": dict(vars(config.data.files)),
    }
    node, used = getattr(config, stage), supervision_used(experiment)
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


def supervision_used(experiment: Experiment) -> list[str]:
    """What the model of a run has been told about its training images, for the report and its checkpoints."""
    config = experiment.config
    weights = "the crop classifier's" if experiment.config.starts_from_classifier else _init(config.segmenter)
    init = [f"initial weights of the segmenter's encoder: {weights}"]
    if config.supervision is Supervision.full:
        return [f"pixel masks of all {len(experiment.train.ids)} training images", *init]
    weak = experiment.weak
    kinds = [box.kind for i in experiment.weak_ids for box in weak.images[i].boxes]
    crops = sum(len(weak.images[i].tags) for i in experiment.train.ids)
    used = [
        f"{kinds.count(BoxKind.INSTANCE)} boxes and {kinds.count(BoxKind.GROUP)} group boxes of things in "
        f"{len(experiment.weak_ids)} training images",
        f"tags of {crops} crops of {weak.grid.height} x {weak.grid.width} pixels of {len(experiment.train.ids)} images",
        experiment.masks.supervision,
    ]
    if config.labels_from is not None:
        used.append(f"labels of {config.labels_from}, with whatever stands behind them")
    else:
        used.append(experiment.seeds.supervision)
    if experiment.full_ids:
        used.append(f"pixel masks of {len(experiment.full_ids)} further training images")
    if experiment.config.needs_classifier:
        init.append(f"initial weights of the classifier: {_init(config.classifier)}")
    return [*used, *init]


def _init(module: Mapping[str, Any]) -> str:
    init = module["network"].get("init")
    return "random" if init is None else Path(init).name
