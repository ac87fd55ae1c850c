"""Stage: masks in boxes of every training image, shared over ranks and processes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from weakpan.basics.errors import RunError, errors_below
from weakpan.masks.result import Fallback
from weakpan.parallel.ranks import enter_stage, from_rank_zero, gather_from_all_ranks, rank, share_of_rank, world
from weakpan.parallel.sharing import share
from weakpan.stages.experiment import Experiment, mask_contents
from weakpan.stages.settings import run_settings
from weakpan.storage.map_store import read_manifest
from weakpan.tasks.masks import BOXES, MASKS, WITHOUT_MASK, WriteMasks


def run_masks(experiment: Experiment) -> dict[str, Any]:
    """Make the masks in boxes of all images and seal them; what is there is not made again.

    Returns:
        `boxes`, `without_mask`, `fallback` (boxes by reason) and `seconds`, as in metrics.json; the seconds are those
        since the last interruption, of the slowest rank.

    Raises:
        DataError: a map that was changed since it was sealed, by name.
        RunError: what masks are made with has changed since the run began.
    """
    enter_stage("masks")
    store, weak, config = experiment.masks, experiment.weak, experiment.config
    ids = experiment.weak_ids
    if from_rank_zero(store.is_sealed):
        store.verify(share_of_rank(ids))
        return dict(read_manifest(store.manifest_path)["summary"])
    name = "masks" if world() == 1 else f"masks of rank {rank()}"
    source = config.mask_source
    with errors_below(MASKS):
        source.check_files()
    task = WriteMasks(experiment.train, weak.images, source.pinned(), store, experiment.layout.mask_counts)
    seconds = share(task, share_of_rank(ids), config.processes, name).seconds
    slowest = max(gather_from_all_ranks(seconds))

    def seal() -> dict[str, Any]:
        _refuse_changed_files(experiment)
        total = sum((task.count(image_id) for image_id in ids), Counter[str]())
        summary = {
            "boxes": total[BOXES],
            "without_mask": total[WITHOUT_MASK],
            "fallback": {str(reason): total[str(reason)] for reason in Fallback if reason is not Fallback.NOT_NEEDED},
            "seconds": slowest,
        }
        store.seal(ids, run_settings(experiment), summary=summary)
        return summary

    return from_rank_zero(seal)


def _refuse_changed_files(experiment: Experiment) -> None:
    began, now = experiment.mask_contents, mask_contents(experiment.config, experiment.layout)
    changed = [f"{key}: {began.get(key)!r} then, {now.get(key)!r} now" for key in now if began.get(key) != now[key]]
    if changed:
        raise RunError(
            f"{experiment.layout.masks}: files changed while masks were made with them ({'; '.join(changed)}), so that "
            "masks may be of both; put back what was there, and make them again in a new run folder"
        )
