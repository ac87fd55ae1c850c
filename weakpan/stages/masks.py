"""Stage: masks in boxes of every training image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weakpan.basics.errors import RunError
from weakpan.masks.result import Fallback
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import run_task
from weakpan.stages.settings import MASKS, record_of
from weakpan.tasks.masks import BOXES, WITHOUT_MASK, MakeMasks


def run_masks(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Make the masks in boxes of all images and seal them; what is there is not made again.

    Raises:
        DataError: a map that was changed since it was sealed, by name.
        RunError: files that masks are made with have changed since the stage began.
    """
    stores, record = experiment.stores, record_of(experiment, MASKS)
    task = MakeMasks(experiment.annotations, experiment.masks, stores.masks, stores.mask_records)

    def summarise(ids: Sequence[str], outcome: Outcome) -> dict[str, Any]:
        _refuse_changed_files(experiment, record.manifest_path.parent)
        total = sum((task.counts(image_id) for image_id in ids), Counter[str]())
        return {
            "boxes": total[BOXES],
            "without_mask": total[WITHOUT_MASK],
            "fallback": {str(reason): total[str(reason)] for reason in Fallback if reason is not Fallback.NOT_NEEDED},
            "seconds": outcome.seconds,
        }

    return run_task(task, record, ids, experiment.shares, summarise)


def masks_summary(experiment: Experiment) -> dict[str, Any] | None:
    """`boxes`, `without_mask`, `fallback` (boxes by reason) and `seconds` of finished masks, as in metrics.json."""
    record = record_of(experiment, MASKS)
    return from_rank_zero(lambda: record.summary() if record.is_sealed() else None)


def _refuse_changed_files(experiment: Experiment, folder: Path) -> None:
    then = {f"masks.{key} content": digest for key, digest in experiment.masks.contents().items()}
    try:
        contents = experiment.config.mask_source.contents()
    except OSError:
        contents = {}
    now = {f"masks.{key} content": digest for key, digest in contents.items()}
    changed = [f"{key}: {then[key]!r} then, {now.get(key)!r} now" for key in then if then[key] != now.get(key)]
    if changed:
        raise RunError(
            f"files changed while masks were made with them ({'; '.join(changed)}), so that masks may be of both",
            path=folder,
            remedy="put back what was there, and make them again in a new folder",
        )
