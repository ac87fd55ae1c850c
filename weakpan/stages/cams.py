"""Stage: train the crop classifier and write the CAM label maps of every training image."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.callbacks.resumable_fit import KeepSchedule, LastLoss, SeedSteps
from weakpan.callbacks.score import ScoreTags
from weakpan.callbacks.write_cams import WriteCams
from weakpan.config.modules import classifier_crops
from weakpan.data.derive import derive_annotations
from weakpan.data.loaders.crop_datamodule import CropDataModule
from weakpan.parallel.ranks import from_rank_zero, share_of_rank, wait_for_all_ranks
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.stages.build import build_classifier, build_trainer, load_weights, save_weights
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import run_settings
from weakpan.stages.unfinished import forget_results_of_other_weights, is_whole, left_to_do
from weakpan.storage.checkpoints import resume_point
from weakpan.storage.map_store import read_manifest
from weakpan.training.classifier_module import ClassifierModule


def run_cams(experiment: Experiment, loggers: list[Logger]) -> dict[str, Any]:
    """Train the classifier, write CAM label maps, seal them; what is sealed is not made again.

    An interrupted stage goes on after its last whole map, as long as the classifier's weights are those of the others.

    Returns:
        `epochs`, `loss` (last epoch's), `average_precision` (by class, on the crops of the validation split; None
        without one) and `seconds`, as in metrics.json.
    """
    config, store = experiment.config, experiment.cams
    if from_rank_zero(store.is_sealed):
        store.verify(share_of_rank(experiment.train.ids))
        _say_what_is_not_kept(experiment)
        return dict(read_manifest(store.manifest_path)["summary"])
    start = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module = build_classifier(config.classifier, config.seeds, experiment.catalog)
    data = CropDataModule(
        experiment.train, experiment.weak, classifier_crops(config.classifier), config.data.workers, config.seed
    )
    loss = _fit(experiment, module, data, loggers)
    found = _score(experiment, module, loggers)
    _write_maps(experiment, module, loggers)
    wait_for_all_ranks()
    summary = {
        "epochs": config.classifier["epochs"],
        "loss": loss,
        "average_precision": found,
        "seconds": round(time.monotonic() - start, 1),
    }
    from_rank_zero(lambda: store.seal(experiment.train.ids, run_settings(experiment), summary=summary))
    return summary


def _write_maps(experiment: Experiment, module: ClassifierModule, loggers: list[Logger]) -> None:
    """Write the maps that are not there, each on one rank."""
    config, layout, store = experiment.config, experiment.layout, experiment.cams
    heatmaps = HeatmapFolder(layout.cam_heatmaps, experiment.catalog) if config.seeds.keep_heatmaps else None
    from_rank_zero(lambda: _forget_other_weights(experiment))
    todo = left_to_do(experiment.train.ids, lambda i: is_whole(store, i) and (heatmaps is None or heatmaps.has(i)))
    writer = WriteCams(store.write, None if heatmaps is None else heatmaps.write, experiment.weak.grid, config.seeds)
    data = CropDataModule(
        experiment.train, experiment.weak, classifier_crops(config.classifier), config.data.workers, config.seed, todo
    )
    # There may be more ranks than images.
    data.allow_zero_length_dataloader_with_multiple_devices = True
    trainer = build_trainer(config, layout, "CAMs", [writer], loggers, inference_mode=False)
    if todo:
        trainer.predict(module, data, return_predictions=False)


def _forget_other_weights(experiment: Experiment) -> None:
    layout, ids = experiment.layout, experiment.train.ids
    heatmaps = HeatmapFolder(layout.cam_heatmaps, experiment.catalog)
    made = [path for image_id in ids for path in (experiment.cams.path(image_id), heatmaps.path(image_id))]
    forget_results_of_other_weights(layout.cam_source, layout.classifier / "last.ckpt", made)


@rank_zero_only
def _say_what_is_not_kept(experiment: Experiment) -> None:
    """What is sealed is not made again, not even for heatmaps that were not asked for in time."""
    layout = experiment.layout
    heatmaps = HeatmapFolder(layout.cam_heatmaps, experiment.catalog)
    if experiment.config.seeds.keep_heatmaps and not all(heatmaps.path(i).is_file() for i in experiment.train.ids):
        print(
            "warning: seeds.keep_heatmaps=true, but the CAMs of this run are finished and their heatmaps were not "
            f"kept; delete {experiment.cams.manifest_path} and {layout.cam_source} and start the same command again: "
            "it makes the maps anew with the same classifier, and the heatmaps with them",
            flush=True,
        )


def _score(experiment: Experiment, module: ClassifierModule, loggers: list[Logger]) -> dict[str, float | None] | None:
    """Average precision by class on the crops of the validation split, whose tags come from its real labels."""
    config, val = experiment.config, experiment.val
    if val is None:
        return None
    annotations = from_rank_zero(lambda: derive_annotations(val, experiment.weak.grid, config.processes))
    data = CropDataModule(
        val, annotations, classifier_crops(config.classifier), config.data.workers, config.seed, with_pixels=False
    )
    data.allow_zero_length_dataloader_with_multiple_devices = True
    scorer = ScoreTags(experiment.catalog)
    trainer = build_trainer(config, experiment.layout, "classifier score", [scorer], loggers)
    module.make_heatmaps = False
    trainer.predict(module, data, return_predictions=False)
    module.make_heatmaps = True
    scorer.merge_ranks()
    return scorer.scores.average_precision()


def _fit(
    experiment: Experiment, module: pl.LightningModule, data: CropDataModule, loggers: list[Logger]
) -> float | None:
    folder = experiment.layout.classifier
    weights, unfinished = folder / "last.ckpt", folder / "resume.ckpt"
    if from_rank_zero(weights.is_file):
        return load_weights(module, weights).get("loss")
    keep = ModelCheckpoint(folder, filename="resume", enable_version_counter=False, save_on_train_epoch_end=True)
    last = LastLoss("classifier/loss_total")
    trainer = build_trainer(
        experiment.config,
        experiment.layout,
        "classifier",
        [keep, last, SeedSteps(experiment.config.seed), KeepSchedule()],
        loggers,
        max_epochs=experiment.config.classifier["epochs"],
        enable_checkpointing=True,
    )
    resume = from_rank_zero(lambda: resume_point(unfinished))
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    about = {"kind": "crop classifier", "loss": last.value}
    from_rank_zero(lambda: save_weights(module, weights, about))
    rank_zero_only(unfinished.unlink)(missing_ok=True)
    return last.value
