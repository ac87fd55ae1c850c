"""Predict photographs with a trained run and write the results."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from weakpan.callbacks.progress import StageProgress
from weakpan.callbacks.score_predictions import ScorePredictions
from weakpan.config.on_error import OnError
from weakpan.config.predict import PredictConfig
from weakpan.data.coco import write_panoptic_json
from weakpan.data.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.errors import ConfigError, RunError
from weakpan.files import write_text_atomically
from weakpan.predict.photographs import Source, open_source
from weakpan.predict.trained import TrainedRound, find_round, load_segmenter
from weakpan.predict.writer import WritePanoptic
from weakpan.stages.build import build_trainer

_LIMITS = ("limit_predict_batches", "fast_dev_run")
"""What makes a trial of a run short and must not leave photographs out."""


def predict(config: PredictConfig) -> list[tuple[str, str]]:
    """Do what predict.py was asked for; everything that can be refused is refused before the first prediction.

    Writes `panoptic/ID.png`, `overlays/ID.jpg` if asked for, `scores.json` where a split has real labels, and
    `panoptic.json` last: a folder that has it is complete.

    Returns:
        Image id and message of the photographs that were left out; empty unless they are to be skipped.

    Raises:
        WeakpanError: see `find_round` and `open_source`; an output folder that is not empty; several devices and
            `on_error=skip`; photographs that the Trainer was told to leave out.
    """
    out = Path(config.out)
    check_out(out)
    trained = find_round(config)
    if config.on_error is OnError.skip:
        _refuse_several_devices(config, trained)
    source = open_source(config, trained)
    _announce(config, trained, source)
    module = load_segmenter(trained)
    writer = WritePanoptic(source, trained.catalog, out, config.overlays)
    scorer = ScorePredictions(source.truth) if source.truth is not None else None
    trainer = _trainer(config, trained, [writer, *([scorer] if scorer else [])])
    images = WholeImages(source.photographs, source.ids, trained.config.segmenter.views.scale, annotations=None)
    data = PanopticDataModule(None, images, 1, config.workers, trained.config.seed)
    trainer.predict(module, data, return_predictions=False)
    writer.merge_ranks()
    if scorer is not None:
        scorer.merge_ranks()
    if len(writer.images) != len(source.ids):
        raise RunError(
            f"out={out}: only {len(writer.images)} of {len(source.ids)} photographs were predicted; take out of "
            "trainer=... what limits the number, delete the folder and start again"
        )
    if trainer.is_global_zero:
        _write_results(out, trained, source, writer, scorer)
    trainer.strategy.barrier("panoptic.json is written")
    return list(source.failures)


def check_out(out: Path) -> None:
    """Make sure that results can go to a folder; raises RunError if it holds anything or cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        first = next(out.iterdir(), None)
    except OSError as error:
        raise RunError(f"out={out}: not a folder that can be written to ({error.strerror}); give another") from error
    if first is not None:
        raise RunError(f"out={out}: not empty, it holds {first.name}; give a new folder, or delete this one")
    if not os.access(out, os.W_OK):
        raise RunError(f"out={out}: not a folder that can be written to; give another")


def _refuse_several_devices(config: PredictConfig, trained: TrainedRound) -> None:
    """Each process would look for itself, and they might not agree on which photographs can be read."""
    devices = _trainer(config, trained, []).world_size
    if devices > 1:
        raise ConfigError(
            f"on_error=skip with {devices} devices: one process looks which photographs can be read; add "
            "trainer.devices=1 (and start one process alone), or take on_error=stop"
        )


def _trainer(config: PredictConfig, trained: TrainedRound, callbacks: list[pl.Callback]) -> pl.Trainer:
    """The run's Trainer with what predict.py was told; null leaves an argument as the run had it."""
    own = {key: value for key, value in config.trainer.items() if value is not None}
    base = {key: value for key, value in trained.config.trainer.items() if key not in _LIMITS}
    # Loggers and callbacks of the run watch training; they have no part in this.
    settings = replace(trained.config, trainer={**base, **own}, callbacks={}, logger={})
    shown = [StageProgress("predict", every_seconds=10.0), *callbacks]
    try:
        return build_trainer(settings, trained.layout, "predict", shown)
    except ConfigError as error:
        raise ConfigError(f"{error}; trainer=cpu predicts without the devices that the run was trained on") from error


@rank_zero_only
def _announce(config: PredictConfig, trained: TrainedRound, source: Source) -> None:
    lines = [
        f"predicting {len(source.ids)} photographs: {source.name}",
        f"with round {trained.index} of {trained.layout.folder}",
    ]
    if source.failures:
        lines.append(f"{len(source.failures)} further ones cannot be read and are left out; they are listed at the end")
    if source.truth is None and config.split is not None:
        lines.append("not every one of them has real labels, so there are no scores")
    print("\n".join(lines), flush=True)


def _write_results(
    out: Path, trained: TrainedRound, source: Source, writer: WritePanoptic, scorer: ScorePredictions | None
) -> None:
    if scorer is not None:
        scores = scorer.scorer.result().as_dict()
        write_text_atomically(out / "scores.json", json.dumps(scores, indent=1) + "\n")
        print("scores: " + ", ".join(_figures(scores)), flush=True)
    info = {
        "description": "panoptic segmentation predicted by weakpan",
        "dataset": trained.config.data.name,
        "supervision": trained.config.supervision.value,
        "run": str(trained.layout.folder),
        "round": trained.index,
    }
    write_panoptic_json(out / "panoptic.json", trained.catalog, writer.images, info)
    name_of = {c.dataset_id: c.name for c in trained.catalog.classes}
    found = Counter(name_of[s["category_id"]] for image in writer.images for s in image.segments)
    listed = ", ".join(f"{number} {name}" for name, number in found.most_common())
    print(f"{len(source.ids)} photographs, {found.total()} segments ({listed or 'none'}): {out / 'panoptic.json'}")


def _figures(scores: dict[str, Any]) -> list[str]:
    shown = {"mIoU": "miou", "PQ": "pq", "PQ things": "pq_things", "PQ stuff": "pq_stuff", "AP": "ap", "AP50": "ap50"}
    values = {name: scores[key] for name, key in shown.items()}
    return [f"{name} {'-' if value is None else f'{value:.3f}'}" for name, value in values.items()]
