"""Time of what the CAM stage does with an image beside its network, and of making labels from kept heatmaps.

Run from the root of the repository: `python -m benchmarks.cam_labels`. One image of 1024 x 2048 in 15 crops, one
thread; heatmaps are smooth noise of the size that EfficientNet-Lite0 gives. Each part is put beside reading the
image, in turns, because machines differ.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.label_making import milliseconds
from benchmarks.made_up_street import make_street
from weakpan.basics.arrays import RGBImage, SemanticMap
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.boxes import INSTANCE_BASE, boxes_from_maps
from weakpan.data.candidates import CandidateSets, whole_image_sets
from weakpan.data.crops import CropGrid
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.seeds.label_maps import HeatmapsToLabels, label_map_from_kept
from weakpan.seeds.rules import Competing, HeatmapRule, PublishedRule
from weakpan.storage.images import read_rgb, write_png

SIZE = (1024, 2048)
GRID = CropGrid(400, 500)
CELLS = (38, 47)
"""Rows and columns of the heatmap of a crop at 1.5 times its size."""

REPEATS = 7


def made_up_case() -> tuple[RGBImage, ImageAnnotation, Tensor, Tensor]:
    """Image, annotation, and the (P, 2) pairs of crop and class with their (P, h, w) heatmaps."""
    rng = np.random.default_rng(0)
    ids = make_street(rng, *SIZE, 40).ids
    semantic = np.where(ids >= INSTANCE_BASE, ids // INSTANCE_BASE, ids).astype(np.uint8)
    boxes = boxes_from_maps(semantic, np.where(ids >= INSTANCE_BASE, ids, 0).astype(np.int32), CITYSCAPES)
    annotation = ImageAnnotation("street", *SIZE, boxes, GRID.tags(semantic))
    image = CITYSCAPES.palette[semantic] // 2 + rng.integers(0, 60, (*SIZE, 1), np.uint8)
    pairs = [(crop, class_id) for crop, tags in enumerate(annotation.tags) for class_id in sorted(tags)]
    noise = rng.normal(size=(len(pairs), *CELLS)).astype(np.float32)
    heatmaps = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in noise])
    return image.astype(np.uint8), annotation, torch.tensor(pairs), torch.from_numpy(heatmaps)


def parts_of(folder: Path) -> tuple[Callable[[], object], dict[str, Callable[[], object]]]:
    """Reading the image, and each part of the work by its name."""
    image, annotation, pairs, heatmaps = made_up_case()
    write_png(folder / "image.png", image)

    def sets() -> CandidateSets:
        return whole_image_sets(annotation, GRID, CITYSCAPES)

    found, kept = sets(), HeatmapFolder(folder, CITYSCAPES)
    prediction = {
        "image_id": "street", "image": torch.from_numpy(image).permute(2, 0, 1), "pairs": pairs,
        "heatmaps": heatmaps, "set_index": torch.from_numpy(found.index), "set_table": torch.from_numpy(found.table),
    }  # fmt: skip

    def write(image_id: str, labels: SemanticMap) -> None:
        write_png(folder / f"{image_id}.png", labels)

    def again(rule: HeatmapRule) -> None:
        label_map_from_kept(kept.read("street"), rule, found if rule.needs_candidates else None, image)

    competing, published = Competing(), PublishedRule()
    return lambda: read_rgb(folder / "image.png"), {
        "heatmaps kept, competing": lambda: HeatmapsToLabels(write, kept.write, GRID, competing)(prediction),
        "competing": lambda: HeatmapsToLabels(write, None, GRID, competing)(prediction),
        "published": lambda: HeatmapsToLabels(write, None, GRID, published)(prediction),
        "candidates": sets,
        "from kept ones, competing": lambda: again(competing),
        "from kept ones, published": lambda: again(published),
    }


def main() -> None:
    """Print milliseconds, the ratio to reading the image, and the bytes of the heatmaps."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        read, parts = parts_of(folder)
        times: dict[str, list[tuple[float, float]]] = {part: [] for part in parts}
        for _ in range(REPEATS):
            for part, work in parts.items():
                times[part].append((milliseconds(work), milliseconds(read)))
        for part, both in times.items():
            ratio = statistics.median(ours / theirs for ours, theirs in both)
            print(f"{part:<26}{statistics.median(t for t, _ in both):8.1f} ms, {ratio:6.2f} times reading the image")
        print(f"heatmaps on disk          {(folder / 'street.npz').stat().st_size / 2**20:8.2f} MiB")


if __name__ == "__main__":
    main()
