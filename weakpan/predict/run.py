"""Predict photographs with a trained run and write the results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.errors import ConfigError, RunError
from weakpan.callbacks.progress import StageProgress
from weakpan.callbacks.score import ScorePredictions
from weakpan.config.data import OnError
from weakpan.config.modules import segmenter_crops
from weakpan.config.predict import PredictConfig
from weakpan.config.train_checks import settings_of
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.parallel.ranks import from_rank_zero
from weakpan.predict.photographs import Source, open_source
from weakpan.predict.result_folder import PredictClaim, ResultFolder, check_out
from weakpan.predict.together import Lock, form_group, holding, naming_faults
from weakpan.predict.trained import TrainedRound, find_round, load_segmenter
from weakpan.predict.writer import WritePanoptic
from weakpan.stages.build import build_trainer
from weakpan.stages.settings import digest_of_ids
from weakpan.storage.files import content_digest, write_text_atomically

_LIMITS = ("limit_predict_batches", "fast_dev_run")
"""What makes a trial of a run short and must not leave photographs out."""


def predict(config: PredictConfig, lock: Lock) -> list[tuple[str, str]]:
    """Do what predict.py was asked for; everything that can be refused is refused before the first prediction.

    Writes `panoptic/ID.png`, `overlays/ID.jpg` if asked for, `scores.json` where a split has real labels, and
    `panoptic.json` last: a folder that has it is complete. The same command on a folder that is not goes on. Every rank
    calls this.

    Args:
        config: checked.
        lock: on the output folder.

    Returns:
        Image id and message of the photographs that were left out; empty unless they are to be skipped.

    Raises:
        WeakpanError: see `find_round` and `open_source`; an output folder that holds anything else than predictions
            with the same settings; another command at work there; several devices and `on_error=skip`; photographs
            that the Trainer was told to leave out; a disk that is full or broken.
        ToldByRankZero: rank 0 has refused, on the other ranks.
    """
    out = Path(config.out)
    with naming_faults(out):
        check_out(out, lock.path)
        return _predict(config, out, lock)


def _predict(config: PredictConfig, out: Path, lock: Lock) -> list[tuple[str, str]]:
    trained = find_round(config)
    if config.on_error is OnError.skip:
        _refuse_several_devices(config, trained)
    source = open_source(config, trained)
    scorer = ScorePredictions(source.truth) if source.truth is not None else None
    claim = PredictClaim(out, _settings(config, trained, source))
    claim.refuse_others()
    folder = ResultFolder(claim, trained.catalog, config.overlays, scored=scorer is not None)
    # What has changed by the time that it is read is found out by the next start.
    stamps = {image_id: source.stamp(image_id) for image_id in source.ids}
    writer = WritePanoptic(source, folder, stamps)
    trainer = _trainer(config, trained, [writer, *([scorer] if scorer else [])])
    form_group(trainer)
    with holding(lock):
        kept = from_rank_zero(lambda: folder.kept(stamps))
        if kept is None:
            rank_zero_only(print)(f"finished already: {folder.json}; delete {out} to predict again", flush=True)
            return list(source.failures)
        _announce(config, trained, source, len(kept))
        done = set(kept)
        todo = [image_id for image_id in source.ids if image_id not in done]
        if todo:
            images = WholeImages(
                source.photographs, todo, segmenter_crops(trained.config.segmenter).scale, annotations=None
            )
            data = PanopticDataModule(None, images, 1, config.workers, trained.config.seed)
            trainer.predict(load_segmenter(trained), data, return_predictions=False)
        _finish(trained, folder, writer, scorer, kept, len(source.ids))
    return list(source.failures)


def _finish(
    trained: TrainedRound,
    folder: ResultFolder,
    writer: WritePanoptic,
    scorer: ScorePredictions | None,
    kept: Sequence[str],
    expected: int,
) -> None:
    """Bring together what the ranks have made, and write what is about all images; every rank calls this."""
    writer.merge_ranks(from_rank_zero(lambda: [folder.record(image_id) for image_id in kept]))
    if scorer is not None:
        scorer.merge_ranks()
    if len(writer.images) != expected:
        raise RunError(
            f"out={folder.claim.out}: only {len(writer.images)} of {expected} photographs were predicted; take out of "
            "trainer=... what limits the number, and start again"
        )

    def write() -> None:
        if scorer is not None:
            _add_kept(scorer, folder, kept)
        _write_results(trained, folder, writer, scorer)

    from_rank_zero(write)


def _settings(config: PredictConfig, trained: TrainedRound, source: Source) -> dict[str, Any]:
    """Flat settings that would make other results; of weights and photographs, what tells them apart."""
    trainer = {**trained.config.trainer, **{k: v for k, v in config.trainer.items() if v is not None}}
    left_out = [image_id for image_id, _ in source.failures]
    return {
        "round": trained.index,
        "checkpoint content": content_digest([trained.checkpoint]),
        "photographs": str(source.photographs.root.resolve()),
        "split": config.split,
        "photographs listed": digest_of_ids(sorted([*source.ids, *left_out])),
        "overlays": config.overlays,
        "trainer.precision": trainer.get("precision"),
        **settings_of(trained.config, "segmenter"),
    }


def _add_kept(scorer: ScorePredictions, folder: ResultFolder, kept: Sequence[str]) -> None:
    """Score what an earlier start has predicted."""
    for image_id in kept:
        panoptic, semantic = folder.prediction(image_id)
        scorer.scorer.add(image_id, panoptic, scorer.split.truth(image_id), semantic)


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
def _announce(config: PredictConfig, trained: TrainedRound, source: Source, kept: int) -> None:
    lines = [
        f"predicting {len(source.ids)} photographs: {source.name}",
        f"with round {trained.index} of {trained.layout.folder}",
    ]
    if kept:
        lines.append(f"{kept} of them are there already and are kept")
    if source.failures:
        lines.append(f"{len(source.failures)} further ones cannot be read and are left out; they are listed at the end")
    if source.truth is None and config.split is not None:
        lines.append("not every one of them has real labels, so there are no scores")
    print("\n".join(lines), flush=True)


def _write_results(
    trained: TrainedRound, folder: ResultFolder, writer: WritePanoptic, scorer: ScorePredictions | None
) -> None:
    if scorer is not None:
        scores = scorer.scorer.result().as_dict()
        write_text_atomically(folder.scores, json.dumps(scores, indent=1) + "\n")
        print("scores: " + ", ".join(_figures(scores)), flush=True)
    info = {
        "description": "panoptic segmentation predicted by weakpan",
        "dataset": trained.config.data.name,
        "supervision": trained.config.supervision.value,
        "run": str(trained.layout.folder),
        "round": trained.index,
    }
    folder.finish(writer.images, info)
    name_of = {c.dataset_id: c.name for c in trained.catalog.classes}
    found = Counter(name_of[s["category_id"]] for image in writer.images for s in image.segments)
    listed = ", ".join(f"{number} {name}" for name, number in found.most_common())
    print(f"{len(writer.images)} photographs, {found.total()} segments ({listed or 'none'}): {folder.json}")


def _figures(scores: dict[str, Any]) -> list[str]:
    shown = {"mIoU": "miou", "PQ": "pq", "PQ things": "pq_things", "PQ stuff": "pq_stuff", "AP": "ap", "AP50": "ap50"}
    values = {name: scores[key] for name, key in shown.items()}
    return [f"{name} {'-' if value is None else f'{value:.3f}'}" for name, value in values.items()]
