"""The supervision that stands behind a model, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weakpan.config.train import Supervision
from weakpan.data.annotations import BoxKind
from weakpan.stages.experiment import Experiment


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
