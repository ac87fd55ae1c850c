"""Stage: scores of a segmenter on the validation split, and of pseudo labels against real ones. Read-only."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from pytorch_lightning.loggers import Logger

from weakpan.callbacks.score import ScorePredictions, ScoreWithoutMasks
from weakpan.config.modules import segmenter_crops
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.derive import derive_image
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.evaluation.label_quality import LabelQuality, score_stored_labels
from weakpan.parallel.ranks import enter_stage, from_rank_zero, gather_from_all_ranks, share_of_rank
from weakpan.parallel.sharing import end_with_parent
from weakpan.stages.build import build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.tasks.annotation_source import OneByOne
from weakpan.training.segmenter_module import SegmenterModule


def score_segmenter(
    experiment: Experiment, module: SegmenterModule, round_index: int, loggers: list[Logger]
) -> dict[str, dict[str, Any] | None]:
    """Scores on the validation split as metrics.json holds them.

    Returns:
        `val`, against ground truth, and `held_out`, what boxes and tags alone say; both None without such a split.
    """
    if experiment.val is None:
        return {"val": None, "held_out": None}
    config, val = experiment.config, experiment.val
    images = WholeImages(val, val.ids, segmenter_crops(config.segmenter).scale, annotations=None)
    truth, grid = GroundTruth.of(val), experiment.annotations.grid
    scorer = ScorePredictions(truth)
    # Boxes and tags of images that nothing is trained on.
    derived = OneByOne(val.ids, partial(derive_image, truth=truth, grid=grid))
    weak_scorer = ScoreWithoutMasks(WeakAnnotations(val.catalog, grid, derived))
    trainer = build_trainer(config, experiment.layout, f"round {round_index} score", [scorer, weak_scorer], loggers)
    trainer.predict(
        module, PanopticDataModule(None, images, 1, config.data.workers, config.seed), return_predictions=False
    )
    scorer.merge_ranks()
    weak_scorer.merge_ranks()
    return {"val": scorer.scorer.result().as_dict(), "held_out": weak_scorer.scorer.result().as_dict()}


def score_labels(experiment: Experiment, round_index: int) -> dict[str, Any] | None:
    """Quality of the pseudo labels of a round over the training images that have ground truth; None without any.

    Shared over ranks and processes.
    """
    enter_stage(f"round {round_index} labels")
    weak, store, truth = experiment.weak, experiment.labels(round_index), experiment.ground_truth
    with_truth = from_rank_zero(lambda: [i for i in experiment.weak_ids if truth.has(i)])
    if not with_truth:
        return None
    ids = share_of_rank(with_truth)
    parts = [ids[start::8] for start in range(8)]
    quality = LabelQuality(experiment.catalog)
    workers = experiment.config.processes
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        jobs = [
            pool.submit(score_stored_labels, [weak.images[i] for i in part], truth, store) for part in parts if part
        ]
        for job in jobs:
            quality.merge(job.result())
    whole = LabelQuality(experiment.catalog)
    for of_rank in gather_from_all_ranks(quality):
        whole.merge(of_rank)
    return whole.result()
