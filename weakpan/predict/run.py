"""Predict images with a trained model and write the results."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.disk import naming_faults
from weakpan.basics.errors import ConfigError, RunError
from weakpan.callbacks.progress import StageProgress
from weakpan.callbacks.score import ScorePredictions
from weakpan.config.data import OnError
from weakpan.config.predict import PredictConfig
from weakpan.config.train import RunConfig
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.parallel.launch import form_group
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.run_lock import RunLock, holding
from weakpan.predict.photographs import Source, open_source
from weakpan.predict.result_folder import ResultFolder, check_out, predict_record
from weakpan.predict.trained import Trained, find_trained
from weakpan.predict.writer import WritePanoptic
from weakpan.stages.build import build_trainer
from weakpan.stages.settings import digest_of_ids, flatten
from weakpan.storage.files import content_digest, write_text_atomically
from weakpan.storage.layout import RunLayout

log = logging.getLogger(__name__)


def predict(config: PredictConfig) -> list[tuple[str, str]]:
    """Do what predict.py was asked for; everything that can be refused is refused before the first prediction.

    Writes `panoptic/ID.png`, `overlays/ID.jpg` if asked for, `scores.json` where a split has ground truth, and
    `panoptic.json` last: a folder that has it is complete. The same command on a folder that is not goes on. Every rank
    calls this.

    Returns:
        Image id and message of the images that were left out; empty unless they are to be skipped.

    Raises:
        WeakpanError: see `find_trained` and `open_source`; an output folder that holds anything else than predictions
            with the same settings; another command at work there; several devices and `on_error=skip`; images that the
            Trainer was told to leave out; a disk that is full or broken.
        ToldByRankZero: rank 0 has refused, on the other ranks.
    """
    out = Path(config.out)
    lock = RunLock(out, key="out")
    with naming_faults(out):
        check_out(out, lock.path)
        return _predict(config, out, lock)


def _predict(config: PredictConfig, out: Path, lock: RunLock) -> list[tuple[str, str]]:
    trained = find_trained(config)
    if config.on_error is OnError.skip:
        _refuse_several_devices(config)
    source = open_source(config, trained)
    scorer = ScorePredictions(source.truth) if source.truth is not None else None
    record = predict_record(out, _settings(config, trained, source))
    record.refuse_others()
    folder = ResultFolder(out, record, trained.catalog, config.overlays, scored=scorer is not None)
    # What has changed by the time that it is read is found out by the next start.
    stamps = {image_id: source.stamp(image_id) for image_id in source.ids}
    writer = WritePanoptic(source, folder, stamps)
    trainer = _trainer(config, [writer, *([scorer] if scorer else [])])
    form_group(trainer)
    with holding(lock):
        kept = from_rank_zero(lambda: folder.kept(stamps))
        if kept is None:
            log.info("finished already: %s; delete %s to predict again", folder.json, out)
            return list(source.failures)
        _announce(config, trained, source, len(kept))
        done = set(kept)
        todo = [image_id for image_id in source.ids if image_id not in done]
        if todo:
            images = WholeImages(source.photographs, todo, trained.scale, annotations=None)
            data = PanopticDataModule(None, images, 1, config.workers, 0)
            trainer.predict(trained.load(), data, return_predictions=False)
        _finish(trained, folder, writer, scorer, kept, len(source.ids))
    return list(source.failures)


def _finish(
    trained: Trained,
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
            f"only {len(writer.images)} of {expected} images were predicted",
            key="out",
            found=folder.out,
            remedy="take out of trainer=... what limits the number, and start again",
        )

    def write() -> None:
        if scorer is not None:
            _add_kept(scorer, folder, kept)
        _write_results(trained, folder, writer, scorer)

    from_rank_zero(write)


def _settings(config: PredictConfig, trained: Trained, source: Source) -> dict[str, Any]:
    """Flat settings that would make other results; of weights and images, what tells them apart."""
    left_out = [image_id for image_id, _ in source.failures]
    return {
        "checkpoint content": content_digest([trained.path]),
        "images": str(source.photographs.root.resolve()),
        "split": config.split,
        "images listed": digest_of_ids(sorted([*source.ids, *left_out])),
        "overlays": config.overlays,
        "trainer.precision": config.trainer.get("precision"),
        **flatten("segmenter", trained.settings),
    }


def _add_kept(scorer: ScorePredictions, folder: ResultFolder, kept: Sequence[str]) -> None:
    """Score what an earlier start has predicted."""
    for image_id in kept:
        panoptic, semantic = folder.prediction(image_id)
        scorer.scorer.add(image_id, panoptic, scorer.truth.panoptic(image_id), semantic)


def _refuse_several_devices(config: PredictConfig) -> None:
    """Each process would look for itself, and they might not agree on which images can be read."""
    devices = _trainer(config, []).world_size
    if devices > 1:
        raise ConfigError(
            f"with {devices} devices: one process looks which images can be read",
            key="on_error",
            found="skip",
            remedy="add trainer.devices=1 (and start one process alone), or take on_error=stop",
        )


def _trainer(config: PredictConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    shown = [StageProgress("predict", every_seconds=10.0), *callbacks]
    return build_trainer(
        RunConfig(run=config.out, trainer=config.trainer), RunLayout(Path(config.out)), "predict", shown
    )


@rank_zero_only
def _announce(config: PredictConfig, trained: Trained, source: Source, kept: int) -> None:
    log.info("predicting %d images: %s", len(source.ids), source.name)
    log.info("with %s", trained.name)
    if kept:
        log.info("%d of them are there already and are kept", kept)
    if source.failures:
        log.info("%d further ones cannot be read and are left out; they are listed at the end", len(source.failures))
    if source.truth is None and config.split is not None:
        log.info("not every one of them has ground truth, so there are no scores")


def _write_results(
    trained: Trained, folder: ResultFolder, writer: WritePanoptic, scorer: ScorePredictions | None
) -> None:
    if scorer is not None:
        scores = scorer.scorer.result().as_dict()
        write_text_atomically(folder.scores, json.dumps(scores, indent=1) + "\n")
        log.info("scores: %s", ", ".join(_figures(scores)))
    info = {
        "description": "panoptic segmentation predicted by weakpan",
        "dataset": trained.content.data.get("name"),
        "supervision": list(trained.content.supervision),
        "checkpoint": trained.path.name,
        "round": trained.content.figures.get("round"),
    }
    folder.finish(writer.images, info)
    name_of = {c.dataset_id: c.name for c in trained.catalog.classes}
    found = Counter(name_of[s["category_id"]] for image in writer.images for s in image.segments)
    listed = ", ".join(f"{number} {name}" for name, number in found.most_common())
    log.info("%d images, %d segments (%s): %s", len(writer.images), found.total(), listed or "none", folder.json)


def _figures(scores: dict[str, Any]) -> list[str]:
    shown = {"mIoU": "miou", "PQ": "pq", "PQ things": "pq_things", "PQ stuff": "pq_stuff", "AP": "ap", "AP50": "ap50"}
    values = {name: scores[key] for name, key in shown.items()}
    return [f"{name} {'-' if value is None else f'{value:.3f}'}" for name, value in values.items()]
