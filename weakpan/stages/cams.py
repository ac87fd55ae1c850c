"""Stage: train the crop classifier and write the CAM label maps of every training image."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from weakpan.callbacks.last_loss import LastLoss
from weakpan.callbacks.seed_steps import SeedSteps
from weakpan.callbacks.write_cams import WriteCams
from weakpan.data.crop_datamodule import CropDataModule
from weakpan.map_store import read_manifest
from weakpan.stages.build import build_classifier, build_trainer, load_weights, save_weights
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import run_settings


def run_cams(experiment: Experiment, loggers: list[Logger]) -> dict[str, Any]:
    """Train the classifier, write CAM label maps, seal them; what is sealed is not made again.

    Returns:
        `epochs`, `loss` (last epoch's) and `seconds`, as in metrics.json.
    """
    config, store = experiment.config, experiment.cams
    if store.is_sealed():
        return dict(read_manifest(store.manifest_path)["summary"])
    start = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module = build_classifier(config.classifier, config.cues.cam, experiment.catalog)
    data = CropDataModule(experiment.train, experiment.weak, config.classifier.crops, config.data.workers, config.seed)
    loss = _fit(experiment, module, data, loggers)
    trainer = build_trainer(
        config,
        experiment.layout,
        "CAMs",
        [WriteCams(store.write, experiment.weak, config.cues.cam)],
        loggers,
        inference_mode=False,
    )
    trainer.predict(module, data, return_predictions=False)
    trainer.strategy.barrier("CAMs are written")
    summary = {"epochs": config.classifier.epochs, "loss": loss, "seconds": round(time.monotonic() - start, 1)}
    if trainer.is_global_zero:
        store.seal(experiment.train.ids, run_settings(experiment), summary=summary)
    trainer.strategy.barrier("CAMs are sealed")
    return summary


def _fit(
    experiment: Experiment, module: pl.LightningModule, data: CropDataModule, loggers: list[Logger]
) -> float | None:
    folder = experiment.layout.classifier
    weights, resume = folder / "last.ckpt", folder / "resume.ckpt"
    if weights.is_file():
        return load_weights(module, weights).get("loss")
    keep = ModelCheckpoint(folder, filename="resume", enable_version_counter=False, save_on_train_epoch_end=True)
    last = LastLoss("classifier/loss")
    trainer = build_trainer(
        experiment.config,
        experiment.layout,
        "classifier",
        [keep, last, SeedSteps(experiment.config.seed)],
        loggers,
        max_epochs=experiment.config.classifier.epochs,
        enable_checkpointing=True,
    )
    trainer.fit(module, data, ckpt_path=str(resume) if resume.is_file() else None, weights_only=True)
    if trainer.is_global_zero:
        save_weights(module, weights, {"kind": "crop classifier", "loss": last.value})
        resume.unlink(missing_ok=True)
    trainer.strategy.barrier("classifier is saved")
    return last.value
