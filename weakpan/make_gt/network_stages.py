"""Stages that train or ask a network."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.errors import RunError
from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.build import build_loggers
from weakpan.stages.classifier import run_classifier
from weakpan.stages.experiment import Experiment
from weakpan.stages.labels import label_record, verify_sources
from weakpan.stages.mask_net import run_mask_net
from weakpan.stages.relabel import relabel
from weakpan.stages.report import check_labels
from weakpan.stages.score import score_segmenter
from weakpan.stages.seeds import run_seeds
from weakpan.stages.segmenter import fit_round
from weakpan.stages.settings import LABELS, SEGMENTER, record_of
from weakpan.storage.files import write_text_atomically
from weakpan.storage.layout import RunLayout

log = logging.getLogger(__name__)


def _round(experiment: Experiment) -> int:
    config = experiment.config
    assert isinstance(config, MakeGtConfig)
    return config.round


def _loggers(experiment: Experiment) -> list[Logger]:
    return list(build_loggers(experiment.config, RunLayout(experiment.stores.folder)).values())


def _classifier(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    if run_classifier(experiment, _loggers(experiment)) is None:
        log.info("nothing in this run needs a classifier")
    return Outcome(made=len(ids))


def _seeds(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    return run_seeds(experiment, ids, _loggers(experiment))


def _labels(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Labels of a round from the network of the round before."""
    index, loggers = _round(experiment), _loggers(experiment)
    from_rank_zero(lambda: _require(experiment, index - 1))
    from_rank_zero(lambda: verify_sources(experiment, ids, index))
    module, _ = fit_round(experiment, index - 1, loggers)
    return relabel(experiment, module, index, loggers)


def _segmenter(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    index, loggers = _round(experiment), _loggers(experiment)
    if experiment.config.weakly and not from_rank_zero(experiment.layout.round(index).checkpoint.is_file):
        from_rank_zero(lambda: _require_labels(experiment, index))
        check_labels(experiment, index)
    fit_round(experiment, index, loggers)
    return Outcome(made=len(ids))


def _scores(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Scores of a trained round, in `RUN/round_NN/scores.json`."""
    index, loggers = _round(experiment), _loggers(experiment)
    from_rank_zero(lambda: _require(experiment, index))
    module, _ = fit_round(experiment, index, loggers)
    scores = score_segmenter(experiment, module, index, loggers)
    val = scores["val"]
    if val is None:
        raise RunError("no split to score on", key="data.val_split", found=None)
    path = experiment.layout.round(index).folder / "scores.json"
    rank_zero_only(write_text_atomically)(path, json.dumps(scores, indent=1) + "\n")
    log.info("scores of round %d: mIoU %.3f, PQ %.3f: %s", index, val["miou"] or 0, val["pq"] or 0, path)
    return Outcome(made=len(ids))


def _require_labels(experiment: Experiment, index: int) -> None:
    record = label_record(experiment, index)
    if not record.is_sealed():
        raise RunError(
            f"the labels of round {index} are not finished",
            path=record.manifest_path.parent,
            remedy=f"make them with stage={LABELS} round={index}, or train.py",
        )


def _require(experiment: Experiment, index: int) -> None:
    checkpoint = experiment.layout.round(index).checkpoint
    if not checkpoint.is_file():
        raise RunError(
            "no such checkpoint", path=checkpoint, remedy=f"train it with stage={SEGMENTER} round={index}, or train.py"
        )
    record_of(experiment, SEGMENTER, index).refuse_others()


STAGES: dict[Stage, Callable[[Experiment, Sequence[str]], Outcome]] = {
    Stage.mask_net: run_mask_net,
    Stage.classifier: _classifier,
    Stage.seeds: _seeds,
    Stage.labels: _labels,
    Stage.segmenter: _segmenter,
    Stage.scores: _scores,
}
"""By their names."""
