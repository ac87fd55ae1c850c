"""What a run leaves behind: metrics.json, report.html, gallery/; and checks that its labels are worth training on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.arrays import IGNORE
from weakpan.basics.errors import RunError
from weakpan.parallel.ranks import gather_from_all_ranks, share_of_rank
from weakpan.report.page import PanelRow, write_report
from weakpan.report.panels import panel
from weakpan.stages.experiment import Experiment
from weakpan.stages.labels import label_record
from weakpan.stages.settings import LABELS, config_text
from weakpan.stages.weights import supervision_used
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import write_png

log = logging.getLogger(__name__)

GALLERY_HEIGHT = 180
"""Height of the pictures in the gallery folder, pixels."""

MIN_LABELLED = 0.01
"""Share of labelled pixels over all training images below which there is nothing to learn from."""


def check_labels(experiment: Experiment, round_index: int) -> list[str]:
    """Look at the labels of a round before anything is trained on them.

    Returns:
        A warning for each class that has tags and no labelled pixel in any image; they are printed, too.

    Raises:
        RunError: next to no pixel is labelled, and no image has ground truth; the message names the share.
        DataError: a label file that is missing, damaged or changed since it was written.
    """
    labels = experiment.labels(round_index)
    label_record(experiment, round_index).verify(share_of_rank(experiment.weak_ids), labels.files)
    mine = np.zeros(256, np.int64)
    for image_id in share_of_rank(experiment.weak_ids):
        mine += np.bincount(labels.read(image_id).semantic.ravel(), minlength=256)
    counts = sum(gather_from_all_ranks(mine), np.zeros(256, np.int64))
    labelled = 1 - counts[IGNORE] / max(1, counts.sum())
    if labelled < MIN_LABELLED and not experiment.full_ids:
        remedy = (
            "train the classifier longer (classifier.epochs), start it from weights (classifier.init), or lower "
            "seeds.rule.threshold"
            if round_index == 0
            else "train longer (rounds.epochs) or lower labels.rules.score_threshold.minimum"
        )
        raise RunError(
            f"{experiment.layout.round(round_index).labels}: only {labelled:.2%} of the pixels have a label, at least "
            f"{MIN_LABELLED:.0%} are needed; {remedy}"
        )
    weak = experiment.weak
    tagged = frozenset().union(*(weak.images[i].image_tags for i in experiment.weak_ids))
    warnings = [
        f"round {round_index}: class {experiment.catalog.names[c]} has tags and no labelled pixel in any image; "
        "the network cannot learn it"
        for c in sorted(tagged)
        if counts[c] == 0
    ]
    for warning in warnings:
        log.warning("%s", warning)
    return warnings


@rank_zero_only
def _write(experiment: Experiment, metrics: Mapping[str, Any], panels: Sequence[PanelRow]) -> None:
    for row in panels:
        write_png(experiment.layout.gallery / f"{row.image_id}.png", panel(row.columns, GALLERY_HEIGHT))
    write_report(experiment.layout.report, metrics, panels, experiment.catalog)
    # Last: a run that has it is finished.
    write_text_atomically(experiment.layout.metrics, json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    log.info("finished; results are in %s and %s", experiment.layout.report, experiment.layout.metrics)


def write_results(
    experiment: Experiment,
    cues: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    warnings: Sequence[str],
    stopped: str,
    command: str,
    panels: Sequence[PanelRow],
) -> dict[str, Any]:
    """Write metrics.json and report.html on rank 0; `cues` are what the stages before the rounds have returned.

    Returns:
        Content of metrics.json; its keys are documented in the README.
    """
    config_path = experiment.layout.config
    metrics = {
        "format": "weakpan-metrics",
        "version": 1,
        "dataset": experiment.config.data.name,
        "supervision": experiment.config.supervision.value,
        "supervision_used": supervision_used(experiment),
        "classes": [{"name": c.name, "thing": c.is_thing} for c in experiment.catalog.classes],
        "command": command,
        "config_yaml": config_path.read_text(encoding="utf-8") if config_path.is_file() else None,
        "warnings": list(warnings),
        "stopped": stopped,
        **cues,
        "rounds": list(records),
    }
    _write(experiment, metrics, panels)
    return metrics


def finished_results(experiment: Experiment) -> dict[str, Any] | None:
    """Content of metrics.json if this very run is finished and nothing is left to be made, which is said; else None.

    Where anything is missing that a run looks for when it is started again, or the configuration asks for something
    else than what the results were made with (other pictures, more rounds), there is work to do.
    """
    layout = experiment.layout
    try:
        metrics: dict[str, Any] = json.loads(layout.metrics.read_text(encoding="utf-8"))
        rounds = [record["round"] for record in metrics["rounds"]]
        same = metrics["config_yaml"] == config_text(experiment.config)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    made = [layout.report, layout.round(len(rounds) - 1).checkpoint, *(layout.round(r).manifest for r in rounds)]
    needed = experiment.needed_before_rounds(len(rounds) - 1)
    made += [layout.stage(stage) / "manifest.json" for stage, is_needed in needed.items() if is_needed]
    if experiment.config.weakly:
        made += [layout.weak_annotations, *(layout.stage(LABELS, index) / "manifest.json" for index in rounds)]
    if not same or not all(path.is_file() for path in made):
        return None
    log.info(
        "run folder %s is finished (%s), nothing is done; results are in %s and %s\n"
        "another run needs another run=FOLDER, or none; further rounds a larger rounds.n; the report is made again if "
        "report.html is deleted",
        layout.folder,
        metrics["stopped"],
        layout.report,
        layout.metrics,
    )
    return metrics


def metric_named(name: str, metrics: Mapping[str, Any]) -> float | None:
    """A figure of the last round, for sweeps: `val.pq`, `labels.miou`, `train_loss`; None if there was none."""
    value: Any = metrics["rounds"][-1]
    for part in name.split("."):
        if value is not None:
            value = value[part]
    return None if value is None else float(value)
