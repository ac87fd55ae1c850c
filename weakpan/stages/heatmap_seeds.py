"""Stage: seeds from heatmaps that were kept, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakpan.basics.errors import ConfigError, DataError
from weakpan.parallel.sharing import Outcome
from weakpan.seeds.grad_cam_seeds import GradCamSeeds
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import run_task
from weakpan.stages.settings import SEEDS, record_of
from weakpan.storage.records import JsonRecords
from weakpan.tasks.seeds_from_heatmaps import SeedsFromHeatmaps


def run_heatmap_seeds(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Make the seeds of all images from the heatmaps of `heatmaps_from`, on all workers, and seal them.

    Raises:
        ConfigError: seeds that are not made from heatmaps.
        DataError: no such folder, or heatmaps of other crops or tags.
    """
    given, source, stores = str(experiment.config.heatmaps_from), experiment.seeds, experiment.stores
    if not isinstance(source, GradCamSeeds):
        raise ConfigError("kept heatmaps need a rule", key="heatmaps_from", found=given, remedy="give seeds=cam")
    if source.keep_heatmaps:
        raise ConfigError(
            "heatmaps are either read or made, and seeds.keep_heatmaps=true makes them",
            key="heatmaps_from",
            found=given,
        )
    if not Path(given).is_dir():
        raise DataError("no such folder; it holds ID.npz of each image", key="heatmaps_from", found=given)
    task = SeedsFromHeatmaps(
        experiment.annotations,
        HeatmapFolder(Path(given), experiment.catalog),
        stores.seeds,
        JsonRecords(stores.beside_seeds("sources"), "weakpan-seed-sources", SEEDS),
        source.rule,
    )
    record = record_of(experiment, SEEDS)
    return run_task(task, record, ids, experiment.shares, lambda _, made: {"seconds": made.seconds})
