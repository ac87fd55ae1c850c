"""The runner of every stage that works image by image, whatever script started it.

Images are shared over ranks x workers x shards. Settings and inputs are recorded, what is whole is skipped, what is
sealed is verified and not made again, and the seal comes last.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weakpan.basics.errors import DataError
from weakpan.masks.result import Fallback
from weakpan.parallel.ranks import (
    enter_stage,
    from_rank_zero,
    gather_from_all_ranks,
    rank,
    share_of_rank,
    wait_for_all_ranks,
    world,
)
from weakpan.parallel.sharing import Outcome, shard_of, share
from weakpan.storage.stage_record import Files, StageRecord
from weakpan.tasks.task import ImageTask, Recorded

log = logging.getLogger(__name__)

_UNSAID = ("images", str(Fallback.NOT_NEEDED))
"""Counts that a summary leaves out: said already, or of no interest."""

Work = Callable[[Sequence[str]], Outcome]
"""Makes the results of some images, the same ones on every rank, each on one of them; writes begin with a claim."""


@dataclass(frozen=True)
class Shares:
    """How the images of a stage are shared.

    Attributes:
        workers: processes of each rank.
        shard: index and number of parts of the images, of which this job does one.
        skip_failures: leave out images that cannot be done instead of ending the stage.
        remake: make results of a sealed stage anew that are missing or cut short, instead of refusing to go on.
    """

    workers: int = 1
    shard: tuple[int, int] = (0, 1)
    skip_failures: bool = False
    remake: bool = False


@dataclass(frozen=True)
class Results:
    """What a stage has in a folder.

    Attributes:
        record: settings and seal.
        is_done: whether the results of an image are there and whole.
        files: of an image, that the seal speaks of.
    """

    record: StageRecord
    is_done: Callable[[str], bool]
    files: Files


def run_stage(
    results: Results,
    ids: Sequence[str],
    work: Work,
    shares: Shares,
    summarise: Callable[[Sequence[str], Outcome], dict[str, Any]] | None = None,
) -> Outcome:
    """Make the results of all images that have none and seal them; every rank calls this.

    Args:
        results: of the stage.
        ids: of all images.
        work: makes those that are left.
        shares: which part of the images this job does.
        summarise: figures of all images for the manifest, on rank 0, once all are done.

    Returns:
        Of all ranks together; images that were there count as kept.

    Raises:
        RunError: the folder holds results of other settings.
        DataError: an image that cannot be done; a result that was changed since it was sealed.
    """
    record, name = results.record, results.record.stage
    enter_stage(name)
    from_rank_zero(record.refuse_others)
    part = shard_of(ids, *shares.shard)
    from_rank_zero(lambda: record.forget_other_inputs(ids, part, results.files))
    start = time.monotonic()
    if from_rank_zero(record.is_sealed):
        if not shares.remake:
            record.verify(share_of_rank(part), results.files)
            return Outcome(kept=len(part))
        # While files of it are made anew nobody shall take it for complete.
        from_rank_zero(lambda: record.manifest_path.unlink(missing_ok=True))
    todo = left_to_do(part, results.is_done)
    outcome = _together(work(todo)) if todo else Outcome()
    outcome = replace(outcome, kept=len(part) - len(todo) + outcome.kept, seconds=round(time.monotonic() - start, 1))
    wait_for_all_ranks()
    _say(name, outcome)
    left = len(outcome.failures) or (len(left_to_do(ids, results.is_done)) if shares.shard[1] > 1 else 0)
    if left:
        log.info("%s: %d of %d images are left; the stage is sealed when all are done", name, left, len(ids))
    else:
        from_rank_zero(lambda: record.seal(ids, results.files, summarise(ids, outcome) if summarise else {}))
    return outcome


def run_task(
    task: ImageTask,
    record: StageRecord,
    ids: Sequence[str],
    shares: Shares,
    summarise: Callable[[Sequence[str], Outcome], dict[str, Any]] | None = None,
    remedy: str = "add it",
) -> Outcome:
    """`run_stage` for a task that workers do, with a remedy for missing files; arguments and errors as there.

    Raises:
        DataError: a file that an image needs is missing, before any work starts, unless failures are skipped.
    """
    name = record.stage if world() == 1 else f"{record.stage} of rank {rank()}"

    def work(todo: Sequence[str]) -> Outcome:
        mine = share_of_rank(todo)
        if not shares.skip_failures:
            refuse_missing(task, mine, remedy)
        return share(Recorded(task, record), mine, shares.workers, name, shares.skip_failures)

    return run_stage(Results(record, task.is_done, task.files), ids, work, shares, summarise)


def left_to_do(ids: Sequence[str], is_done: Callable[[str], bool]) -> list[str]:
    """Images that have no result yet, in the order of `ids`, the same on every rank; must be called by all of them.

    Args:
        ids: of all images; each is looked at by one rank.
        is_done: whether what belongs to an image is there and whole.
    """
    mine = [image_id for image_id in share_of_rank(ids) if not is_done(image_id)]
    left = {image_id for part in gather_from_all_ranks(mine) for image_id in part}
    return [image_id for image_id in ids if image_id in left]


def refuse_missing(task: ImageTask, ids: Sequence[str], remedy: str = "add it") -> None:
    """Find missing files before any work starts; raises DataError."""
    missing = [(image_id, path) for image_id in ids if (path := task.missing(image_id)) is not None]
    if missing:
        image_id, path = missing[0]
        raise DataError(
            f"image {image_id}: no such file ({len(missing)} of {len(ids)} images lack a file)",
            path=path,
            remedy=f"{remedy}, or leave the image out with data.train_list; make_gt.py leaves such images out with "
            "on_error=skip",
        )


def _together(outcome: Outcome) -> Outcome:
    """The outcome of all ranks."""
    parts = gather_from_all_ranks(outcome)
    counts = sum((part.counts for part in parts), Counter[str]())
    failures = [failure for part in parts for failure in part.failures]
    return Outcome(sum(p.made for p in parts), sum(p.kept for p in parts), failures, counts)


def _say(name: str, outcome: Outcome) -> None:
    counts = ", ".join(f"{value} {key}" for key, value in sorted(outcome.counts.items()) if key not in _UNSAID)
    failed = f", {len(outcome.failures)} could not be done" if outcome.failures else ""
    log.info(
        "%s: %d images made in %s s, %d were there%s%s",
        name,
        outcome.made,
        outcome.seconds,
        outcome.kept,
        failed,
        f" ({counts})" if counts else "",
    )
