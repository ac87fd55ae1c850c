"""Stage: masks in boxes of every training image, shared over processes."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from weakpan.callbacks.progress import clock
from weakpan.cues.box_masks import Fallback
from weakpan.cues.mask_stage import BOXES, WITHOUT_MASK, write_masks
from weakpan.map_store import read_manifest
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import run_settings

_SAY_EVERY = 10.0
"""Seconds between two lines of progress."""


def run_masks(experiment: Experiment) -> dict[str, Any]:
    """Make the masks in boxes of all images and seal them; what is sealed is not made again.

    Returns:
        `boxes`, `without_mask`, `fallback` (boxes by reason) and `seconds`, as in metrics.json.
    """
    store, weak = experiment.masks, experiment.weak
    if store.is_sealed():
        return dict(read_manifest(store.manifest_path)["summary"])
    start = last = time.monotonic()
    counts: Counter[str] = Counter()
    ids = experiment.weak_ids
    with ProcessPoolExecutor(experiment.config.cues.workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(
                write_masks, experiment.train.image_path(i), weak.images[i], experiment.config.cues.masks, store
            )
            for i in ids
        ]
        for done, job in enumerate(as_completed(jobs), start=1):
            counts.update(job.result())
            if time.monotonic() - last > _SAY_EVERY or done == len(ids):
                last = time.monotonic()
                left = (last - start) / done * (len(ids) - done)
                print(f"masks: image {done}/{len(ids)} [{clock(last - start)}, {clock(left)} left]", flush=True)
    summary = {
        "boxes": counts[BOXES],
        "without_mask": counts[WITHOUT_MASK],
        "fallback": {str(reason): counts[str(reason)] for reason in Fallback if reason is not Fallback.NOT_NEEDED},
        "seconds": round(time.monotonic() - start, 1),
    }
    store.seal(ids, run_settings(experiment), summary=summary)
    return summary
