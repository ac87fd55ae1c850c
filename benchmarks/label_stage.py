"""Time of stage `labels` of make_gt.py from file to file, beside reading and writing these files alone.

Run from the root of the repository: `python -m benchmarks.label_stage`. Two parts, each one process and one core:

1.  One image of 1024 x 2048: decoding what the stage reads and encoding what it writes, through the functions that the
    stage itself uses for that, and the whole stage, in turns. With the environment variable WEAKPAN_DATA pointing to a
    folder that holds the authors' released files of a frame (`released_sample/results`) and its Cityscapes maps
    (`cityscapes_sample`), the same on that frame.
2.  A list of many ids: from the start of the command to its first result, and memory on the way. The images are tiny,
    and all of them are hard links to one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks.label_making import milliseconds
from benchmarks.made_up_street import SPLIT, make_street, write_street
from weakpan.basics.catalog import CITYSCAPES
from weakpan.config.data import DataConfig
from weakpan.data.formats.mat_scores import read_mat_scores
from weakpan.data.formats.released import ReleasedTree, class_palette, index_palette
from weakpan.labels import ScoreThreshold
from weakpan.labels.encode import to_released_8bit
from weakpan.labels.pipeline import LabelRules, make_labels, published_rules
from weakpan.storage.images import read_map, write_indexed_png
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.labels import MakeLabels, WriteLabels
from weakpan.tasks.stores import ReleasedMaps, ReleasedStores

HEIGHT, WIDTH, BOXES = 1024, 2048, 40
FIRST_COUNT = 500
"""Images after which memory is looked at for the first time."""

Parts = dict[str, tuple[Callable[[], object], Callable[[], object]]]
"""For each part of the work: the files of it alone, and all of it."""


def label_task(source: AnnotationSource, given: ReleasedTree, out: ReleasedTree, kept_share: float) -> MakeLabels:
    """The stage for round 1, by the published rules."""
    rules = LabelRules({**published_rules(), "score_threshold": ScoreThreshold(kept_share=kept_share)})
    maps, results = ReleasedStores(given), WriteLabels(source, ReleasedStores(out).labels(1))
    return MakeLabels(results, ReleasedMaps(given, "prediction"), given, maps.masks, rules, 1, maps.seeds)


def parts_of(task: MakeLabels, cues: ReleasedTree, out: ReleasedTree, image_id: str) -> Parts:
    """What the stage does with an image, apart."""
    inp, weak = task.read(image_id), task.results.annotations
    size = inp.prediction.shape[0], inp.prediction.shape[1]
    labels = make_labels(inp, task.rules, CITYSCAPES, weak.grid, 1)
    instances = to_released_8bit(labels.instances)
    gt = Path(weak.data.root) / "gtFine" / SPLIT / image_id.split("_")[0]
    semantic_path, instances_path = out.path("semantic", image_id), out.path("instances", image_id)
    return {
        "prediction": (lambda: read_map(cues.path("prediction", image_id)), lambda: cues.read("prediction", image_id)),
        "scores": (lambda: read_mat_scores(cues.path("scores", image_id), size), lambda: cues.scores(image_id, size)),
        "masks in boxes": (lambda: read_map(cues.path("masks", image_id)), lambda: cues.read("masks", image_id)),
        "boxes": (
            lambda: read_map(gt / f"{image_id}_gtFine_instanceTrainIds.png"),
            lambda: weak.boxes(image_id, size),
        ),
        "tags": (lambda: read_map(gt / f"{image_id}_gtFine_labelTrainIds.png"), lambda: weak.tags(image_id, size)),
        "rules, instances": (lambda: None, lambda: make_labels(inp, task.rules, CITYSCAPES, weak.grid, 1)),
        "semantic result": (
            lambda: write_indexed_png(semantic_path, labels.semantic, class_palette(CITYSCAPES)),
            lambda: out.write("semantic", image_id, labels.semantic),
        ),
        "instance result": (
            lambda: write_indexed_png(instances_path, instances, index_palette()),
            lambda: out.write_instances(image_id, to_released_8bit(labels.instances)),
        ),
    }


def in_turn(files: Callable[[], object], whole: Callable[[], object], whole_first: bool) -> tuple[float, float]:
    """Milliseconds of both; what comes second finds memory and caches warm, which must not always be the same one."""
    if whole_first:
        later, first = milliseconds(whole), milliseconds(files)
        return first, later
    return milliseconds(files), milliseconds(whole)


def time_image(name: str, root: Path, cues: Path, image_id: str, kept_share: float, repeats: int) -> None:
    """Print milliseconds of the files alone and of the stage, in turns, as medians; their ratio is taken pair by pair.

    Args:
        name: of the frame.
        root: of the data set.
        cues: folder with prediction, scores and masks in boxes.
        image_id: of the image.
        kept_share: setting of the label rules.
        repeats: runs of each.
    """
    source = AnnotationSource(DataConfig(name="cityscapes", root=str(root), classes="cityscapes"), CITYSCAPES)
    with tempfile.TemporaryDirectory() as folder:
        given, out = (ReleasedTree(place, SPLIT, CITYSCAPES) for place in (cues, Path(folder)))
        task = label_task(source, given, out, kept_share)
        parts = parts_of(task, given, out, image_id)
        alone: list[float] = []
        stage: list[float] = []
        apart: dict[str, list[float]] = {part: [] for part in parts}
        for turn in range(repeats):
            once = {part: in_turn(*both, turn % 2 == 1) for part, both in parts.items()}
            alone.append(sum(files for files, _ in once.values()))
            stage.append(milliseconds(lambda: (task.is_done(image_id), task.write(image_id, task.make(image_id)))))
            for part, (files, whole) in once.items():
                apart[part].append(whole - files)
    ratios = [a / b for a, b in zip(stage, alone, strict=True)]
    print(
        f"{name}, kept_share {kept_share:g}: files alone {statistics.median(alone):6.1f} ms, stage "
        f"{statistics.median(stage):6.1f} ms, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )
    for part, times in apart.items():
        print(f"    {part:<17} {statistics.median(times):6.1f} ms above its file")


def link_images(root: Path, images: int) -> list[str]:
    """Write the files of one tiny image and link them under so many ids, which are returned in order."""
    ids = [f"city{k * 18 // images:02d}_{k:06d}_000019" for k in range(images)]
    group = ids[0].split("_")[0]
    files = write_street(make_street(np.random.default_rng(0), 32, 64, 3), root, group, ids[0])
    for image_id in ids[1:]:
        for path in files:
            folder = path.parent.with_name(image_id.split("_")[0]) if path.parent.name == group else path.parent
            folder.mkdir(exist_ok=True)
            (folder / path.name.replace(ids[0], image_id)).hardlink_to(path)
    return ids


def time_list(images: int) -> None:
    """Print seconds to the first result of a list of images, and memory up to 500 images and from there on."""
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "data", Path(folder) / "results"
        ids = link_images(root, images)
        command = [sys.executable, "make_gt.py", "stage=labels", "round=1", "workers=1", "data=cityscapes"]
        command += ["layout=released", f"run={out}", f"data.root={root}", f"layout.inputs={root}"]
        results = ReleasedTree(out, SPLIT, CITYSCAPES)
        first, some = results.path("semantic", ids[0]), results.path("semantic", ids[min(FIRST_COUNT, images) - 1])
        peaks = {False: 0, True: 0}
        start = time.time()
        process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            is_later = some.exists()
            # It may end at any moment.
            with contextlib.suppress(psutil.Error):
                peaks[is_later] = max(peaks[is_later], process.memory_info().rss)
            time.sleep(0.02)
        seconds = time.time() - start
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
        print(
            f"{images} images of 32 x 64: first result {first.stat().st_mtime - start:.1f} s after the start of the "
            f"command, all {seconds:.0f} s after it; memory up to image {FIRST_COUNT} {peaks[False] / 2**20:.0f} MiB, "
            f"from there on {peaks[True] / 2**20:.0f} MiB"
        )


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="runs of each measurement of the first part")
    parser.add_argument("--images", type=int, default=20000, help="length of the list; 0 leaves the second part out")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root, image_id = Path(folder), "street_000000_000019"
        write_street(make_street(np.random.default_rng(0), HEIGHT, WIDTH, BOXES), root, "street", image_id)
        for kept_share in (0.0, 0.2):
            time_image(f"{HEIGHT} x {WIDTH}, {BOXES} boxes", root, root, image_id, kept_share, options.repeats)
    if "WEAKPAN_DATA" in os.environ:
        data = Path(os.environ["WEAKPAN_DATA"])
        cues, image_id = data / "released_sample" / "results", "aachen_000000_000019"
        if ReleasedTree(cues, SPLIT, CITYSCAPES).path("scores", image_id).is_file():
            time_image(f"released frame {image_id}", data / "cityscapes_sample", cues, image_id, 0.0, options.repeats)
    if options.images:
        time_list(options.images)


if __name__ == "__main__":
    main()
