"""Time to make the pseudo labels of one image, beside a straightforward NumPy version of the same rules.

Run from the root of the repository: `python -m benchmarks.label_making`. Both run on one core, in turns, on a made-up
street-sized frame, and must agree. The straightforward version builds a mask of the whole image for every box, as the
authors' released code does; it is the reference of the unit tests.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from tests.unit.labels.plain_labels import plain_labels
from weakpan.basics.arrays import NO_THING
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import ScoreThreshold
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, make_labels, published_rules

HEIGHT, WIDTH, BOXES, REPEATS = 1024, 2048, 40, 9
GRID = CropGrid(400, 500)


def made_up_frame() -> LabelInput:
    """A frame of blobs of stuff, with things in 40 boxes of 24 to 400 pixels and pseudo boxes for all stuff."""
    rng = np.random.default_rng(0)
    blobs = rng.choice([0, 1, 2, 8, 10, 13, 255], (HEIGHT // 32, WIDTH // 32)).astype(np.uint8)
    truth = blobs.repeat(32, axis=0).repeat(32, axis=1)
    boxes = [Box(c, 0, 0, WIDTH - 1, HEIGHT - 1, BoxKind.STUFF) for c in CITYSCAPES.stuff_ids]
    masks = np.full((HEIGHT, WIDTH), NO_THING, np.uint8)
    for _ in range(BOXES):
        width, height = np.exp(rng.uniform(np.log(24), np.log(400), 2)).astype(int).tolist()
        left, top = int(rng.integers(WIDTH - width)), int(rng.integers(HEIGHT - height))
        box = Box(int(rng.choice(CITYSCAPES.thing_ids)), left, top, left + width - 1, top + height - 1)
        boxes.append(box)
        keep = rng.random((height, width)) < rng.uniform(0.2, 0.9)
        truth[box.slices][keep] = box.class_id
        masks[box.slices] = np.where(keep, box.class_id, 255)
    tags = tuple(frozenset(t for t in crop if t % 4) for crop in GRID.tags(truth))
    score = rng.random((HEIGHT, WIDTH), np.float32) * 0.02 + 0.985
    return LabelInput(truth, score, masks, ImageAnnotation("made_up", HEIGHT, WIDTH, tuple(boxes), tags))


def milliseconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Print milliseconds of both versions and their ratio, for the cases that training meets."""
    cv2.setNumThreads(1)
    inp = made_up_frame()
    print(f"{HEIGHT} x {WIDTH}, {BOXES} boxes, one core, median of {REPEATS}")
    for name, round_index in (("round 0 (no scores)", 0), ("round 1 (all rules)", 1), ("round 6 (no masks)", 6)):
        case = inp, LabelRules(), CITYSCAPES, GRID, round_index
        ours, (semantic, instances) = make_labels(*case), plain_labels(*case)
        if not (np.array_equal(ours.semantic, semantic) and np.array_equal(ours.instances, instances)):
            raise SystemExit(f"{name}: the two versions differ")
        pairs = [
            (milliseconds(partial(make_labels, *case)), milliseconds(partial(plain_labels, *case)))
            for _ in range(REPEATS)
        ]
        fast, plain = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"{name}: {fast:6.1f} ms, straightforward {plain:7.1f} ms, ratio {plain / fast:5.1f}")
    # The straightforward version compares every pixel with every other one here.
    rules = LabelRules({**published_rules(), "score_threshold": ScoreThreshold(kept_share=0.2)})
    sharing = partial(make_labels, inp, rules, CITYSCAPES, GRID, 1)
    print(f"round 1, kept_share 0.2: {statistics.median(milliseconds(sharing) for _ in range(REPEATS)):6.1f} ms")


if __name__ == "__main__":
    main()
