"""Stage: boxes and tags of the training split, in one weak-annotation file."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace

from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.data.annotation_file import check_annotations
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import left_to_do, run_task
from weakpan.stages.settings import ANNOTATIONS, record_of
from weakpan.tasks.annotations import MakeAnnotations
from weakpan.tasks.stores import RunStores

log = logging.getLogger(__name__)


def run_annotations(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Make the weak-annotation file, image by image; from there on nobody reads where it came from.

    Raises:
        DataError: an image without boxes or tags, or damaged ones.
    """
    stores = experiment.stores
    path, record = stores.folder / "weak_annotations.json", record_of(experiment, ANNOTATIONS)
    in_run = isinstance(stores, RunStores)
    if in_run and from_rank_zero(path.is_file):
        return Outcome(kept=len(ids))
    task = _task(experiment, in_run)
    if in_run and not from_rank_zero(task.folder.is_dir):
        # The file that all of them went into is lost.
        from_rank_zero(lambda: record.manifest_path.unlink(missing_ok=True))
    remedy = "add it, give boxes and tags in a file with data.weak_annotations"
    shares = experiment.shares
    outcome = run_task(task, record, ids, shares, remedy=remedy)
    if shares.shard[1] > 1 and not _is_stage(experiment):
        # Another stage needs all of them: what other shards, which may have begun together, have not made by now.
        rest = run_task(task, record, ids, replace(shares, shard=(0, 1)), remedy=remedy)
        outcome = replace(rest, made=outcome.made + rest.made)
    if left_to_do(ids, task.is_done):
        return outcome

    def join() -> None:
        task.join(path, ids)
        if in_run and shares.shard[1] == 1:
            # The parts are in the file now, and stages read that. Another shard may be putting them together.
            shutil.rmtree(task.folder)

    from_rank_zero(join)
    if in_run:
        check_annotations(experiment.annotations.whole, experiment.train)
    log.info("%s holds boxes and tags of %d images", path, len(ids))
    return outcome


def _task(experiment: Experiment, in_run: bool) -> MakeAnnotations:
    config, stores = experiment.config, experiment.stores
    mat = None
    if isinstance(config, MakeGtConfig) and config.mat:
        mat = str(stores.folder / config.data.mat.replace("{split}", config.data.train_split))
    folder = stores.folder / ANNOTATIONS
    return MakeAnnotations(experiment.annotations, folder / "images" if in_run else folder, mat)


def _is_stage(experiment: Experiment) -> bool:
    """Whether make_gt.py was asked for annotations, and not for a stage that reads them."""
    config = experiment.config
    return isinstance(config, MakeGtConfig) and config.stage is Stage.annotations
