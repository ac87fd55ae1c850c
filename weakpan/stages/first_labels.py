"""Stage: the labels of round 0, from CAM label maps and masks in boxes."""

from __future__ import annotations

from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import make_labels
from weakpan.ranks import enter_stage, from_rank_zero, share_of_rank, wait_for_all_ranks
from weakpan.stages.experiment import Experiment
from weakpan.stages.relabel import seal_labels
from weakpan.stages.settings import run_settings


def make_first_labels(experiment: Experiment) -> None:
    """Merge and clean CAM label maps, shared over ranks; what is sealed is not made again."""
    enter_stage("labels of round 0")
    store, weak = experiment.labels(0), experiment.weak
    if from_rank_zero(store.is_sealed):
        return
    for image_id in share_of_rank(experiment.weak_ids):
        inp = LabelInput(
            prediction=experiment.cams.read(image_id),
            score=None,
            masks=experiment.masks.read(image_id),
            annotation=weak.images[image_id],
        )
        store.write(image_id, make_labels(inp, experiment.config.labels, weak.catalog, weak.grid, round_index=0))
    wait_for_all_ranks()
    from_rank_zero(lambda: seal_labels(store, experiment.weak_ids, run_settings(experiment), checkpoint=None))
