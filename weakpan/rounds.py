"""The loop: masks, classifier, seeds, then rounds of training and relabelling, until it no longer helps.

Every rank runs the same code in one process group; what is sealed on disk is not done again, so that starting the same
command on the same run folder goes on where it stopped.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.annotations import run_annotations
from weakpan.stages.audit import audit_where_possible
from weakpan.stages.build import build_loggers
from weakpan.stages.classifier import run_classifier
from weakpan.stages.experiment import Experiment
from weakpan.stages.gallery import make_gallery
from weakpan.stages.heatmap_seeds import run_heatmap_seeds
from weakpan.stages.labels import label_record, run_labels
from weakpan.stages.masks import masks_summary, run_masks
from weakpan.stages.relabel import relabel
from weakpan.stages.report import check_labels, finished_results, write_results
from weakpan.stages.score import score_labels, score_segmenter
from weakpan.stages.seeds import run_seeds
from weakpan.stages.segmenter import fit_round
from weakpan.stages.settings import MASKS, SEEDS, SEGMENTER, record_of, refuse_other_inputs, write_config

log = logging.getLogger(__name__)


def run_loop(
    experiment: Experiment, command: str, announce: Callable[[Experiment], None] | None = None
) -> dict[str, Any]:
    """Run everything that is not done yet, write the results and return the content of metrics.json.

    Args:
        experiment: checked.
        command: that started the run, for the results.
        announce: says what is going to be done, once it is known that the run may go on and is not finished.

    Raises:
        RunError: the run folder holds results of other settings; nothing in it has been touched by then.
    """
    finished = from_rank_zero(lambda: finished_results(experiment))
    if finished is not None:
        return finished
    from_rank_zero(lambda: refuse_other_inputs(experiment))
    if announce is not None:
        announce(experiment)
    from_rank_zero(lambda: write_config(experiment))
    config = experiment.config
    loggers = build_loggers(config, experiment.layout)
    kept = list(loggers.values())
    before = run_before_rounds(experiment, kept)
    records: list[dict[str, Any]] = []
    warnings: list[str] = []
    stopped = f"after rounds.n={config.rounds.n} rounds"
    for index in range(config.rounds.n):
        records.append(run_round(experiment, index, kept, warnings))
        if config.rounds.stop_on_loss and no_longer_falls(
            [r["train_loss"] for r in records], config.rounds.min_loss_drop
        ):
            stopped = f"after round {index}: the training loss no longer fell"
            break
    module, _ = fit_round(experiment, records[-1]["round"], kept)
    panels = make_gallery(experiment, module, records[-1]["round"], kept)
    return write_results(experiment, before, records, warnings, stopped, command, panels)


def run_before_rounds(experiment: Experiment, loggers: list[Logger]) -> dict[str, Any]:
    """Annotations, masks in boxes, classifier, seeds and the labels of round 0, as far as the run needs them.

    Returns:
        `masks` and `classifier`, figures of these stages for metrics.json; None of those that the run does without.
    """
    figures: dict[str, Any] = {"masks": None, "classifier": None}
    if not experiment.config.weakly:
        return figures
    run_annotations(experiment, experiment.train.ids)
    if experiment.needs_masks_up_to(experiment.config.rounds.n - 1):
        run_masks(experiment, experiment.weak_ids)
        figures["masks"] = masks_summary(experiment)
        audit_where_possible(experiment, MASKS, experiment.weak_ids)
    figures["classifier"] = run_classifier(experiment, loggers)
    if experiment.config.needs_seeds:
        make_seeds(experiment, experiment.train.ids, loggers)
        audit_where_possible(experiment, SEEDS, experiment.train.ids)
    run_labels(experiment, experiment.weak_ids)
    return figures


def make_seeds(experiment: Experiment, ids: Sequence[str], loggers: list[Logger]) -> Outcome:
    """Seeds from whatever the configuration names: a source, or heatmaps that were kept."""
    if experiment.config.heatmaps_from is not None:
        return run_heatmap_seeds(experiment, ids)
    return run_seeds(experiment, ids, loggers)


def run_round(experiment: Experiment, index: int, loggers: list[Logger], warnings: list[str]) -> dict[str, Any]:
    """One round: check its labels, train, score, make the labels of the next round, log its figures once.

    Returns:
        The record of the round, as in metrics.json.
    """
    config = experiment.config
    more_to_come = experiment.config.weakly and index + 1 < config.rounds.n
    stage = record_of(experiment, SEGMENTER, index)
    from_rank_zero(stage.refuse_others)
    quality, found = None, []
    if from_rank_zero(stage.is_sealed):
        summary = from_rank_zero(stage.summary)
        warnings += summary["warnings"]
        record: dict[str, Any] = summary["record"]
        if more_to_come and not from_rank_zero(label_record(experiment, index + 1).is_sealed):
            module, _ = fit_round(experiment, index, loggers)
            relabel(experiment, module, index + 1, loggers)
        return record
    if experiment.config.weakly:
        found = check_labels(experiment, index)
        quality = score_labels(experiment, index)
    clock = [time.monotonic()]
    module, loss = fit_round(experiment, index, loggers)
    clock.append(time.monotonic())
    scores = score_segmenter(experiment, module, index, loggers)
    clock.append(time.monotonic())
    if more_to_come:
        relabel(experiment, module, index + 1, loggers)
    clock.append(time.monotonic())
    fit, score, again = (round(b - a, 1) for a, b in itertools.pairwise(clock))
    record = {
        "round": index,
        "epochs": config.rounds.epochs_of(index),
        "train_loss": loss,
        "seconds": {"fit": fit, "relabel": again, "score": score},
        "labels": quality,
        **scores,
    }
    warnings += found
    from_rank_zero(lambda: stage.seal((), lambda _: (), {"record": record, "warnings": found}))
    _say(record)
    # Loggers that go on with what they hold from before have the finished rounds already.
    log_round(loggers, record)
    return record


def no_longer_falls(losses: Sequence[float | None], min_drop: float) -> bool:
    """The stop rule: whether the last training loss is not below the one before by at least a share of it.

    Args:
        losses: of the last epoch of each round so far; None where it is not known.
        min_drop: share of the loss before, 0..1.
    """
    if len(losses) < 2 or losses[-1] is None or losses[-2] is None:
        return False
    return losses[-1] >= losses[-2] * (1 - min_drop)


@rank_zero_only
def log_round(loggers: Iterable[Logger], record: Mapping[str, Any]) -> None:
    """Send a round's figures to the loggers, beside the round that they belong to."""
    values: dict[str, float] = {"round": record["round"]}
    for group in ("labels", "val", "held_out"):
        for key, value in (record[group] or {}).items():
            if isinstance(value, int | float):
                values[f"{group}/{key}"] = value
    if record["train_loss"] is not None:
        values["train_loss"] = record["train_loss"]
    for logger in loggers:
        logger.log_metrics(values)


@rank_zero_only
def _say(record: Mapping[str, Any]) -> None:
    def share(group: str, key: str) -> str:
        value = (record[group] or {}).get(key)
        return "-" if value is None else f"{value:.3f}"

    loss = record["train_loss"]
    log.info(
        f"round {record['round']} done: loss {'-' if loss is None else f'{loss:.4f}'}; labels: "
        f"{share('labels', 'labelled')} labelled, {share('labels', 'accuracy')} of them right, mIoU "
        f"{share('labels', 'miou')}; val: mIoU {share('val', 'miou')}, PQ {share('val', 'pq')} "
        f"(things {share('val', 'pq_things')}, stuff {share('val', 'pq_stuff')})"
    )
