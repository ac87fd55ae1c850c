"""What a run is going to do, said before it starts; progress lines say how long each stage takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pytorch_lightning.utilities import rank_zero_only

from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import CLASSIFIER, LABELS, MASKS, SEEDS

log = logging.getLogger(__name__)


@rank_zero_only
def print_plan(experiment: Experiment) -> None:
    """Say which stages, rounds, epochs and images are not done."""
    config = experiment.config
    images = len(experiment.train.ids)
    lines = [
        f"run folder {experiment.layout.folder}",
        f"data: {config.data.name} in {config.data.root}, {images} training images",
        f"supervision={config.supervision.value}",
        *_before_rounds(experiment),
        _rounds(experiment),
    ]
    log.info("%s", "\n".join(["plan:", *(f"  {line}" for line in lines)]))


def _before_rounds(experiment: Experiment) -> Iterator[str]:
    """A line for each stage that labels are made from."""
    layout, config = experiment.layout, experiment.config
    names = {
        MASKS: "masks in boxes",
        CLASSIFIER: f"classifier, {_number(config.classifier['epochs'], 'epoch')}",
        SEEDS: "seeds",
        LABELS: "labels of round 0",
    }
    for stage, needed in experiment.needed_before_rounds(config.rounds.n - 1).items():
        if needed:
            done = (layout.stage(stage) / "manifest.json").is_file()
            yield f"{names[stage]}{': finished already' if done else ''}"


def _rounds(experiment: Experiment) -> str:
    """A line for the rounds that are finished and those that are not."""
    rounds, done = experiment.config.rounds, len(experiment.layout.rounds())
    validation = len(experiment.val.ids) if experiment.val else 0
    left = max(0, rounds.n - done)
    finished = f"{_number(done, 'round')} finished; " if done else ""
    new_labels = ", new labels after each but the last" if experiment.config.weakly else ""
    epochs = _number(rounds.epochs_of(done), "epoch")
    if done == 0 and left > 1 and rounds.epochs_of(0) != rounds.epochs:
        epochs += f" and then {rounds.epochs}"
    scores = f"scores on {_number(validation, 'image')}"
    return f"{finished}up to {_number(left, 'round')} of {epochs}, {scores}{new_labels}; report"


def _number(value: int, name: str) -> str:
    return f"{value} {name}{'' if value == 1 else 's'}"
