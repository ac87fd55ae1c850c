"""Stage: train the crop classifier and score it."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.callbacks.resumable_fit import KeepSchedule, LastLoss, ResumePoint, SeedSteps
from weakpan.callbacks.score import ScoreTags
from weakpan.config.modules import classifier_crops
from weakpan.data.derive import derive_annotations
from weakpan.data.loaders.crop_datamodule import CropDataModule
from weakpan.parallel.ranks import from_rank_zero
from weakpan.stages.build import build_classifier, build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import CLASSIFIER, SEEDS, record_of
from weakpan.stages.weights import load_weights, save_weights
from weakpan.storage.checkpoints import resume_point
from weakpan.storage.stage_record import StageRecord
from weakpan.training.classifier_module import ClassifierModule


def run_classifier(experiment: Experiment, loggers: list[Logger]) -> dict[str, Any] | None:
    """Train the crop classifier, score it and seal it; what is sealed is not done again.

    Returns:
        `epochs`, `loss` (last epoch's), `average_precision` (by class, on the crops of the validation split; None
        without one) and `seconds`, as in metrics.json; None where nothing in this run needs a classifier.
    """
    if not experiment.config.needs_classifier:
        return None
    config, record = experiment.config, record_of(experiment, CLASSIFIER)
    from_rank_zero(record.refuse_others)
    if from_rank_zero(lambda: _is_finished(experiment, record)):
        return from_rank_zero(record.summary)
    start = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module = build_classifier(config.classifier, experiment.catalog)
    from_rank_zero(record.claim)
    loss = _fit(experiment, module, loggers)
    summary = {
        "epochs": config.classifier["epochs"],
        "loss": loss,
        "average_precision": _score(experiment, module, loggers),
        "seconds": round(time.monotonic() - start, 1),
    }
    weights = experiment.layout.classifier_weights
    from_rank_zero(lambda: record.seal([_WEIGHTS], lambda _: [weights], summary))
    return summary


_WEIGHTS = "weights"
"""Name in the seal, which speaks of no images."""


def _is_finished(experiment: Experiment, record: StageRecord) -> bool:
    """Whether it was trained and scored; its weights may be gone when all that is made with them is there.

    Raises:
        DataError: weights that are damaged, or of another training.
    """
    layout = experiment.layout
    if not record.is_sealed():
        return False
    if layout.classifier_weights.is_file():
        record.verify([_WEIGHTS], lambda _: [layout.classifier_weights])
        return True
    return record_of(experiment, SEEDS).is_sealed() and layout.round(0).checkpoint.is_file()


def _fit(experiment: Experiment, module: ClassifierModule, loggers: list[Logger]) -> float | None:
    """Train, or load the weights if that was done; returns the training loss of the last epoch."""
    config, layout = experiment.config, experiment.layout
    weights, unfinished = layout.classifier_weights, layout.classifier / "resume.ckpt"
    if from_rank_zero(weights.is_file):
        return load_weights(module, weights, CLASSIFIER).figures.get("loss")
    data = CropDataModule(
        experiment.train, experiment.weak, classifier_crops(config.classifier), config.data.workers, config.seed
    )
    keep = ResumePoint(layout.classifier)
    last = LastLoss("classifier/loss_total")
    trainer = build_trainer(
        config,
        layout,
        "classifier",
        [keep, last, SeedSteps(config.seed), KeepSchedule()],
        loggers,
        max_epochs=config.classifier["epochs"],
        enable_checkpointing=True,
    )
    resume = from_rank_zero(lambda: resume_point(unfinished))
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    from_rank_zero(lambda: save_weights(experiment, module, CLASSIFIER, {"loss": last.value}, weights))
    rank_zero_only(unfinished.unlink)(missing_ok=True)
    return last.value


def _score(experiment: Experiment, module: ClassifierModule, loggers: list[Logger]) -> dict[str, float | None] | None:
    """Average precision by class on the crops of the validation split, whose tags come from its ground truth."""
    config, val = experiment.config, experiment.val
    if val is None:
        return None
    annotations = from_rank_zero(lambda: derive_annotations(val, experiment.weak.grid, config.processes))
    data = CropDataModule(
        val, annotations, classifier_crops(config.classifier), config.data.workers, config.seed, with_pixels=False
    )
    # There may be more ranks than images.
    data.allow_zero_length_dataloader_with_multiple_devices = True
    scorer = ScoreTags(experiment.catalog)
    trainer = build_trainer(config, experiment.layout, "classifier score", [scorer], loggers)
    trainer.predict(module, data, return_predictions=False)
    scorer.merge_ranks()
    return scorer.scorer.average_precision()
