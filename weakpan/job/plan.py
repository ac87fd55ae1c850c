"""What a run is going to do, printed before it starts; progress lines say how long each stage takes."""

from __future__ import annotations

from collections.abc import Iterator

from pytorch_lightning.utilities import rank_zero_only

from weakpan.config.train import Supervision
from weakpan.data.annotations import BoxKind
from weakpan.stages.experiment import Experiment


@rank_zero_only
def print_plan(experiment: Experiment) -> None:
    """Print stages, rounds, epochs and images of what is not done."""
    config, layout = experiment.config, experiment.layout
    weak = config.supervision is not Supervision.full
    lines = [
        f"run folder {layout.folder}",
        f"data: {config.data.name} in {config.data.root}, {len(experiment.train.ids)} training images",
        *(_cues(experiment) if weak else ()),
        *_rounds(experiment, weak),
        *(f"supervision={config.supervision.value}: {what}" for what in experiment.supervision_used),
    ]
    print("\n".join(["plan:", *(f"  {line}" for line in lines)]), flush=True)


def _cues(experiment: Experiment) -> Iterator[str]:
    """A line for each stage that labels are made from."""
    if experiment.masks.is_sealed():
        yield "masks in boxes: finished already"
    else:
        boxes = sum(b.kind is BoxKind.INSTANCE for i in experiment.weak_ids for b in experiment.weak.images[i].boxes)
        yield f"masks in boxes: {boxes} boxes"
    if experiment.needs_classifier:
        done = (experiment.layout.classifier / "manifest.json").is_file()
        epochs = experiment.config.classifier["epochs"]
        yield f"classifier: {'finished already' if done else f'{epochs} epochs'}"
    yield f"seeds: {'finished already' if experiment.seeds.is_sealed() else f'of {images} images'}"


def _rounds(experiment: Experiment, weak: bool) -> Iterator[str]:
    """A line for the rounds that are finished and one for those that are not."""
    rounds, done = experiment.config.rounds, experiment.layout.rounds()
    if done:
        yield f"rounds {', '.join(map(str, done))} are finished already and are not run again"
    left = rounds.n - len(done)
    if left <= 0:
        yield "then the report"
        return
    images, validation = len(experiment.train.ids), len(experiment.val.ids) if experiment.val else 0
    new_labels = ", new labels after each but the last" if weak else ""
    yield (
        f"up to {left} {'more ' if done else ''}rounds of {rounds.epochs} epochs on {images} images, scores on "
        f"{validation}{new_labels}"
    )
