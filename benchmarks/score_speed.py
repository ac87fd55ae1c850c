"""Seconds an image to compute PQ, mIoU and AP: PanopticScorer beside cityscapesscripts, on the same synthetic maps.

The official scripts read files. These are written and decoded before the clock starts, so that only scoring is timed
on both sides, each in one process. The scores are compared, too. Run from the root of the repository:
`python -m benchmarks.score_speed --height 1024 --width 2048`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from tests.unit.evaluation.cityscapes_reference import (
    Case,
    prepare_instances,
    prepare_panoptic,
    prepare_pixels,
    random_case,
)
from weakpan.basics.catalog import CITYSCAPES
from weakpan.evaluation.scorer import PanopticScorer

EVALUATIONS = {"PQ": prepare_panoptic, "mIoU": prepare_pixels, "AP": prepare_instances}


def score(cases: Sequence[Case]) -> tuple[PanopticScorer, dict[str, Any]]:
    """A scorer with all cases, and its result."""
    scorer = PanopticScorer(CITYSCAPES)
    for case in cases:
        scorer.add(case.image_id, case.prediction, case.truth, case.semantic_prediction)
    return scorer, scorer.result().as_dict()


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Shortest time of several runs after one that does not count."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def time_reference(cases: Sequence[Case], folder: Path) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
    """Seconds and results of the three official evaluations by name; each image file is decoded once, untimed."""
    open_file = Image.open

    @functools.cache
    def open_decoded(path: str) -> Image.Image:
        image = open_file(path)
        image.load()
        return image

    times, results = {}, {}
    for name, prepare in EVALUATIONS.items():
        evaluate = prepare(cases, folder)
        with mock.patch.object(Image, "open", open_decoded):
            results[name] = evaluate()
            times[name] = seconds(evaluate, repeats=1)
    return times, results


def main() -> None:
    """Print seconds an image, their ratio, the difference of the scores and the memory kept for an image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1024)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--instances", type=int, default=40, help="rectangles painted an image")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    size = options.height, options.width, options.instances
    cases = [random_case(rng, f"city_{i:06d}_000000", *size) for i in range(options.images)]
    scorer, found = score(cases)
    ours = seconds(lambda: score(cases), repeats=5) / len(cases)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        times, results = time_reference(cases, Path(folder))
    theirs = sum(times.values()) / len(cases)
    differences = (
        found["pq"] - results["PQ"]["All"]["pq"],
        found["miou"] - results["mIoU"]["averageScoreClasses"],
        found["ap"] - results["AP"]["allAp"],
    )
    print(f"{len(cases)} images of {options.height} x {options.width}")
    print(f"PanopticScorer (PQ, mIoU and AP)   {ours:9.4f} s an image")
    print(f"cityscapesscripts                  {theirs:9.4f} s an image")
    for name, total in times.items():
        print(f"    {name:<30} {total / len(cases):9.4f}")
    print(f"ratio                              {theirs / ours:9.1f}")
    print(f"largest difference of PQ, mIoU, AP {max(map(abs, differences)):9.1e}")
    print(f"kept by the scorer                 {len(pickle.dumps(scorer)) / len(cases):9.0f} bytes an image (pickled)")


if __name__ == "__main__":
    main()
