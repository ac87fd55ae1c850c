"""Stage: seeds from heatmaps that were kept, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakpan.parallel.sharing import Outcome
from weakpan.seeds.grad_cam_seeds import GradCamSeeds
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import run_task
from weakpan.stages.settings import SEEDS, record_of
from weakpan.storage.records import JsonRecords
from weakpan.tasks.seeds_from_heatmaps import SeedsFromHeatmaps


def run_heatmap_seeds(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Make and seal all seeds from `heatmaps_from`; raises DataError for heatmaps of other crops or tags."""
    given, source, stores = str(experiment.config.heatmaps_from), experiment.seeds, experiment.stores
    assert isinstance(source, GradCamSeeds), "the configuration is checked"
    task = SeedsFromHeatmaps(
        experiment.annotations,
        HeatmapFolder(Path(given), experiment.catalog),
        stores.seeds,
        JsonRecords(stores.beside_seeds("sources"), "weakpan-seed-sources", SEEDS),
        source.rule,
    )
    record = record_of(experiment, SEEDS)
    return run_task(task, record, ids, experiment.shares, lambda _, made: {"seconds": made.seconds})
