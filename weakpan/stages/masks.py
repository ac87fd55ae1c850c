"""Stage: masks in boxes of every training image, shared over processes."""

from __future__ import annotations

from typing import Any

from weakpan.cues.box_masks import Fallback
from weakpan.cues.mask_stage import BOXES, WITHOUT_MASK, WriteMasks
from weakpan.map_store import read_manifest
from weakpan.sharing import share
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import run_settings


def run_masks(experiment: Experiment) -> dict[str, Any]:
    """Make the masks in boxes of all images and seal them; what is there is not made again.

    Returns:
        `boxes`, `without_mask`, `fallback` (boxes by reason) and `seconds`, as in metrics.json; after an interruption
        of those images that were made since.
    """
    store, weak, config = experiment.masks, experiment.weak, experiment.config.cues
    if store.is_sealed():
        return dict(read_manifest(store.manifest_path)["summary"])
    ids = experiment.weak_ids
    task = WriteMasks(experiment.train, weak.images, config.masks.source(experiment.catalog), store)
    outcome = share(task, ids, config.workers, "masks")
    summary = {
        "boxes": outcome.counts[BOXES],
        "without_mask": outcome.counts[WITHOUT_MASK],
        "fallback": {
            str(reason): outcome.counts[str(reason)] for reason in Fallback if reason is not Fallback.NOT_NEEDED
        },
        "seconds": outcome.seconds,
    }
    store.seal(ids, run_settings(experiment), summary=summary)
    return summary
