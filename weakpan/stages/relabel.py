"""Stage: predict the training images and make the labels of the next round."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from weakpan.callbacks.write_labels import WriteLabels
from weakpan.config.modules import segmenter_crops
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import make_labels
from weakpan.labels.store import LabelStore
from weakpan.parallel.ranks import enter_stage, from_rank_zero, share_of_rank, wait_for_all_ranks
from weakpan.stages.build import build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import run_settings
from weakpan.stages.unfinished import forget_results_of_other_weights, is_whole, left_to_do
from weakpan.training.segmenter_module import SegmenterModule


def seal_labels(store: LabelStore, ids: Sequence[str], settings: dict[str, Any], checkpoint: Path | None) -> None:
    """Declare the labels of a round complete."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    name = None if checkpoint is None else f"{checkpoint.parent.name}/{checkpoint.name}"
    store.seal({"ids": list(ids), "settings_hash": digest, "settings": settings, "checkpoint": name})


def relabel(experiment: Experiment, module: SegmenterModule, next_round: int, loggers: list[Logger]) -> None:
    """Make the labels of the next round with the segmenter of the one before; what is sealed is not made again.

    An interrupted stage goes on after its last whole labels, as long as the segmenter's weights are the same.
    """
    store = experiment.labels(next_round)
    if from_rank_zero(store.is_sealed):
        return
    config, weak = experiment.config, experiment.weak
    checkpoint = experiment.layout.round(next_round - 1).checkpoint
    from_rank_zero(lambda: _forget_other_weights(experiment, next_round))
    todo = left_to_do(experiment.weak_ids, lambda image_id: is_whole(store, image_id))
    images = WholeImages(
        experiment.train,
        todo,
        segmenter_crops(config.segmenter).scale,
        weak if config.rounds.candidates else None,
    )
    writer = WriteLabels(store, experiment.masks, weak, config.labels, next_round)
    trainer = build_trainer(config, experiment.layout, f"round {next_round - 1} relabel", [writer], loggers)
    module.decode_panoptic = False
    module.diffusion = config.rounds.diffusion
    if todo:
        data = PanopticDataModule(None, images, 1, config.data.workers, config.seed)
        trainer.predict(module, data, return_predictions=False)
    wait_for_all_ranks()
    from_rank_zero(lambda: seal_labels(store, experiment.weak_ids, run_settings(experiment), checkpoint))


def _forget_other_weights(experiment: Experiment, next_round: int) -> None:
    layout, store = experiment.layout, experiment.labels(next_round)
    made = [path for i in experiment.weak_ids for path in (store.semantic_path(i), store.instances_path(i))]
    forget_results_of_other_weights(
        layout.round(next_round).label_source, layout.round(next_round - 1).checkpoint, made
    )


def make_first_labels(experiment: Experiment) -> None:
    """Merge and clean seeds, shared over ranks; what is sealed is not made again."""
    enter_stage("labels of round 0")
    store, weak = experiment.labels(0), experiment.weak
    if from_rank_zero(store.is_sealed):
        return
    for image_id in share_of_rank(experiment.weak_ids):
        inp = LabelInput(
            prediction=experiment.seeds.read(image_id),
            score=None,
            masks=experiment.masks.read(image_id),
            annotation=weak.images[image_id],
        )
        store.write(image_id, make_labels(inp, experiment.config.labels, weak.catalog, weak.grid, round_index=0))
    wait_for_all_ranks()
    from_rank_zero(lambda: seal_labels(store, experiment.weak_ids, run_settings(experiment), checkpoint=None))
