"""Stage: train the segmenter on the labels of one round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.callbacks.resumable_fit import KeepSchedule, LastLoss, ResumePoint, SeedSteps
from weakpan.config.modules import segmenter_crops
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, TrainingViews
from weakpan.data.loaders.targets import LabelledImage, label_pseudo, label_truth
from weakpan.labels.store import LabelStore
from weakpan.models.encoder import load_matching
from weakpan.parallel.ranks import from_rank_zero
from weakpan.stages.build import build_segmenter, build_trainer, shares_encoder
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import SEGMENTER, record_of
from weakpan.stages.weights import load_weights, save_weights
from weakpan.storage.checkpoints import resume_point
from weakpan.training.segmenter_module import SegmenterModule


@dataclass(frozen=True)
class RoundLabels:
    """Labels of one round by image id: ground truth for the fully labelled images, pseudo labels for the others."""

    experiment: Experiment
    store: LabelStore

    def __call__(self, image_id: str) -> LabelledImage:
        """Labels of one image at the size of the image."""
        if image_id in self.experiment.full_ids:
            return label_truth(self.experiment.ground_truth.panoptic(image_id), self.experiment.catalog)
        labels = self.store.read(image_id)
        return label_pseudo(labels.semantic, labels.instances, self.experiment.weak.images[image_id].boxes)


def fit_round(experiment: Experiment, round_index: int, loggers: list[Logger]) -> tuple[SegmenterModule, float | None]:
    """Train the segmenter of one round, or load it if that was done.

    Returns:
        The trained module, and the training loss of the last epoch (None if the checkpoint does not know it).
    """
    config, layout = experiment.config, experiment.layout.round(round_index)
    pl.seed_everything(config.seed + 1 + round_index, workers=True, verbose=False)
    warm = config.rounds.warm_start and round_index > 0
    done = from_rank_zero(layout.checkpoint.is_file)
    module = build_segmenter(config.segmenter, experiment.catalog, with_init=not warm and not done)
    if done:
        return module, load_weights(module, layout.checkpoint, SEGMENTER).figures.get("loss")
    if round_index == 0 and experiment.config.starts_from_classifier and shares_encoder(config):
        adopt_encoder(module, experiment.classifier_weights)
    if warm:
        load_weights(module, experiment.layout.round(round_index - 1).checkpoint, SEGMENTER)
    # Rounds differ in the order and the augmentation of what they see, not only in labels.
    seed = config.seed * 1000 + round_index
    crops = segmenter_crops(config.segmenter)
    views = TrainingViews(
        experiment.train,
        RoundLabels(experiment, experiment.labels(round_index)),
        experiment.weak if experiment.config.weakly else None,
        experiment.full_ids,
        crops,
        seed,
    )
    data = PanopticDataModule(views, None, crops.batch_size, config.data.workers, seed)
    keep = ResumePoint(layout.folder)
    last = LastLoss("segmenter/loss_total")
    trainer = build_trainer(
        config,
        experiment.layout,
        f"round {round_index} fit",
        [keep, last, SeedSteps(seed), KeepSchedule()],
        loggers,
        max_epochs=config.rounds.epochs_of(round_index),
        enable_checkpointing=True,
    )
    from_rank_zero(record_of(experiment, SEGMENTER, round_index).claim)
    resume = from_rank_zero(lambda: resume_point(layout.resume))
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    figures = {"round": round_index, "loss": last.value}
    from_rank_zero(lambda: save_weights(experiment, module, SEGMENTER, figures, layout.checkpoint))
    rank_zero_only(layout.resume.unlink)(missing_ok=True)
    return module, last.value


def adopt_encoder(module: SegmenterModule, classifier: Path) -> None:
    """Load the encoder of a crop classifier into a segmenter; raises DataError for another architecture."""
    load_matching(module.network.encoder.body, classifier, "crop classifier")
