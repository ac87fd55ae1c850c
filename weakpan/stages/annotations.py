"""Stage: boxes and tags of the training split, in one weak-annotation file."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence

from weakpan.config.make_gt import MakeGtConfig
from weakpan.data.annotation_file import check_annotations
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import run_task
from weakpan.stages.settings import ANNOTATIONS, record_of
from weakpan.tasks.annotations import MakeAnnotations
from weakpan.tasks.stores import RunStores

log = logging.getLogger(__name__)


def run_annotations(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Make the weak-annotation file, image by image; from there on nobody reads where it came from.

    Args:
        experiment: checked.
        ids: of the images.

    Raises:
        DataError: an image without boxes or tags, or damaged ones.
    """
    stores, source = experiment.stores, experiment.annotations
    path, record = stores.folder / "weak_annotations.json", record_of(experiment, ANNOTATIONS)
    in_run = isinstance(stores, RunStores)
    if in_run and from_rank_zero(path.is_file):
        return Outcome(kept=len(ids))
    config = experiment.config
    mat = None
    if isinstance(config, MakeGtConfig) and config.mat:
        mat = str(stores.folder / config.data.mat.replace("{split}", config.data.train_split))
    folder = stores.folder / ANNOTATIONS
    task = MakeAnnotations(source, folder / "images" if in_run else folder, mat)
    if in_run and not from_rank_zero(task.folder.is_dir):
        # The file that all of them went into is lost.
        from_rank_zero(lambda: record.manifest_path.unlink(missing_ok=True))
    remedy = "add it, give boxes and tags in a file with data.weak_annotations"
    outcome = run_task(task, record, ids, experiment.shares, remedy=remedy)
    if not from_rank_zero(record.is_sealed):
        return outcome

    def join() -> None:
        task.join(path, ids)
        if in_run:
            # The parts are in the file now, and stages read that.
            shutil.rmtree(task.folder)

    from_rank_zero(join)
    if in_run:
        check_annotations(experiment.annotations.whole, experiment.train)
    log.info("%s holds boxes and tags of %d images", path, len(ids))
    return outcome
