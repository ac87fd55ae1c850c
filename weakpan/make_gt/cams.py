"""Stage `cams`: CAM label maps from the crop classifier of an earlier run.

It runs in this process, on a GPU if there is one, with `workers` loader processes. From heatmaps that were kept,
`recut_cams` makes the maps without a network.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import RunError
from weakpan.callbacks.progress import StageProgress
from weakpan.callbacks.write_cams import WriteCams
from weakpan.config.data import GridConfig
from weakpan.config.modules import classifier_crops
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.image_tree import CityscapesSplit
from weakpan.data.loaders.crop_datamodule import CropDataModule
from weakpan.parallel.sharing import Outcome, share
from weakpan.seeds.heatmaps import CamHeatmaps, HeatmapFolder
from weakpan.seeds.settings import CamSettings
from weakpan.stages.build import build_classifier, load_weights, quieten_lightning
from weakpan.stages.earlier_run import load_run_catalog, read_run_config, run_started_in
from weakpan.storage.images import is_whole, read_rgb
from weakpan.storage.layout import RunLayout
from weakpan.tasks.claim import Claim
from weakpan.tasks.weak_source import WeakSource


@dataclass(frozen=True)
class CheckCamInput:
    """Reads everything that the CAMs of one image need, so that what is damaged is known before a network starts.

    Attributes:
        weak: boxes and tags.
        photographs: of the split.
        out: where maps go.
        heatmaps: where heatmaps go; None for not keeping them.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    photographs: CityscapesSplit
    out: ReleasedTree
    heatmaps: HeatmapFolder | None = None
    claim: Claim | None = None

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return (
            self.weak.maps.missing_photograph(image_id)
            or self.weak.missing_boxes(image_id)
            or self.weak.missing_tags(image_id)
        )

    def is_done(self, image_id: str) -> bool:
        """Whether the map, and the heatmaps where they are kept, are there and whole."""
        return is_whole(self.out.cam_path(image_id)) and (self.heatmaps is None or self.heatmaps.has(image_id))

    def __call__(self, image_id: str) -> Counter[str]:
        """Read photograph, boxes and tags; raises DataError."""
        height, width = read_rgb(self.weak.photograph(image_id)).shape[:2]
        self.weak.annotation(image_id, (height, width), with_tags=True)
        return Counter(images=1)

    def write(self, image_id: str, values: SemanticMap) -> None:
        """Write a CAM label map, (H, W) uint8; raises RunError where maps of other settings came first."""
        if self.claim is not None:
            self.claim()
        self.out.write_cam(image_id, values)

    def keep(self, image_id: str, heatmaps: CamHeatmaps) -> None:
        """Write heatmaps; raises RunError where maps of other settings came first."""
        if self.claim is not None:
            self.claim()
        if self.heatmaps is not None:
            self.heatmaps.write(image_id, heatmaps)


class LazyAnnotations(Mapping[str, ImageAnnotation]):
    """Annotations that are read when they are asked for, so that memory does not grow with their number."""

    def __init__(self, weak: WeakSource, ids: Sequence[str]) -> None:
        self.weak, self.ids = weak, tuple(ids)

    def __getitem__(self, image_id: str) -> ImageAnnotation:
        """Boxes and tags of one image; raises DataError."""
        return self.weak.annotation(image_id, None, with_tags=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def make_cams(
    check: CheckCamInput,
    ids: Sequence[str],
    checkpoint: Path,
    cam: CamSettings,
    workers: int,
    skip_failures: bool,
) -> Outcome:
    """Write the CAM label maps of all images that have none yet.

    Args:
        check: what is needed and where results go.
        ids: of the images.
        checkpoint: `classifier/last.ckpt` of a run folder, whose settings of the classifier are used.
        cam: how heatmaps become labels.
        workers: processes.
        skip_failures: leave out images that cannot be read.

    Raises:
        DataError: an image that cannot be read, or a damaged checkpoint.
        RunError: the checkpoint is not in its place, or of other classes.
    """
    start = time.monotonic()
    layout = _layout_of(checkpoint)
    config, catalog = read_run_config(layout), check.weak.catalog
    _same_classes(load_run_catalog(config, run_started_in(layout)), catalog, checkpoint)
    _same_crops(config.data.crop, check.weak.grid, checkpoint)
    module = build_classifier(config.classifier, cam, catalog)
    load_weights(module, checkpoint)
    todo = [image_id for image_id in ids if not check.is_done(image_id)]
    outcome = share(check, todo, workers, "input of cams", skip_failures)
    outcome.kept = len(ids) - len(todo)
    failed = {image_id for image_id, _ in outcome.failures}
    todo = [image_id for image_id in todo if image_id not in failed]
    if not todo:
        return outcome
    annotations = WeakAnnotations(catalog, check.weak.grid, LazyAnnotations(check.weak, todo))
    images = CityscapesSplit(
        check.photographs.root, check.photographs.split, catalog, check.photographs.templates, tuple(todo)
    )
    data = CropDataModule(
        images, annotations, classifier_crops(config.classifier), workers if len(todo) > workers else 0, 0
    )
    quieten_lightning()
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        # Grad-CAM takes gradients.
        inference_mode=False,
        callbacks=[
            WriteCams(check.write, None if check.heatmaps is None else check.keep, annotations.grid, cam),
            StageProgress("cams"),
        ],
    )
    trainer.predict(module, data, return_predictions=False)
    outcome.seconds = round(time.monotonic() - start, 1)
    return outcome


def _layout_of(checkpoint: Path) -> RunLayout:
    if not checkpoint.is_file():
        raise RunError(f"source.checkpoint={checkpoint}: no such file; give RUN/classifier/last.ckpt")
    layout = RunLayout(checkpoint.resolve().parents[1])
    if checkpoint.resolve().parent != layout.classifier.resolve():
        raise RunError(
            f"source.checkpoint={checkpoint}: not in its place; expected RUN/classifier/last.ckpt, because the run's "
            "configuration is needed too"
        )
    return layout


def _same_crops(trained: GridConfig, grid: CropGrid, checkpoint: Path) -> None:
    if (trained.height, trained.width) != (grid.height, grid.width):
        raise RunError(
            f"source.checkpoint={checkpoint}: trained with crops of {trained.height} x {trained.width} pixels (height "
            f"x width), here they are {grid.height} x {grid.width}; give data.crop.height={trained.height} "
            f"data.crop.width={trained.width}, and tags of such crops"
        )


def _same_classes(trained: Catalog, catalog: Catalog, checkpoint: Path) -> None:
    if [(c.name, c.is_thing) for c in trained.classes] != [(c.name, c.is_thing) for c in catalog.classes]:
        raise RunError(
            f"source.checkpoint={checkpoint}: trained with classes {', '.join(trained.names)}; data.classes has "
            f"{', '.join(catalog.names)}"
        )
