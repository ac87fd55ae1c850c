"""The crop classifier of an earlier run, for seeds of other images or by other rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import RunError
from weakpan.config.data import GridConfig
from weakpan.config.train import ClassifierConfig
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.settings import CropSettings
from weakpan.models.crop_classifier import CropClassifier
from weakpan.stages.build import build_classifier, load_weights
from weakpan.stages.earlier_run import load_run_catalog, read_run_config, run_started_in
from weakpan.storage.layout import RunLayout


@dataclass(frozen=True)
class EarlierClassifier:
    """A trained classifier in its run folder.

    Attributes:
        checkpoint: its weights.
        config: of the run.
        catalog: classes, those of the run.
    """

    checkpoint: Path
    config: ClassifierConfig
    catalog: Catalog

    def load(self) -> tuple[CropClassifier, CropSettings]:
        """Network, and how crops are shown to it; raises DataError for damaged weights."""
        module = build_classifier(self.config, self.catalog)
        load_weights(module, self.checkpoint)
        return module.network, self.config.crops


def find_classifier(checkpoint: Path, catalog: Catalog, grid: CropGrid) -> EarlierClassifier:
    """The classifier of a run, known to fit classes and crops.

    Raises:
        RunError: no such file, not in a run folder, or a classifier of other classes or crops.
        WeakpanError: the configuration of its run is gone or damaged.
    """
    layout = _layout_of(checkpoint)
    config = read_run_config(layout)
    _same_classes(load_run_catalog(config, run_started_in(layout)), catalog, checkpoint)
    _same_crops(config.data.crop, grid, checkpoint)
    return EarlierClassifier(checkpoint, config.classifier, catalog)


def _layout_of(checkpoint: Path) -> RunLayout:
    key, remedy = "source.checkpoint", "give RUN/classifier/last.ckpt"
    if not checkpoint.is_file():
        raise RunError("no such file", key=key, found=checkpoint, remedy=remedy)
    layout = RunLayout(checkpoint.resolve().parents[1])
    if checkpoint.resolve().parent != layout.classifier.resolve():
        what = "not in its place, and the configuration of its run is needed, too"
        raise RunError(what, key=key, found=checkpoint, remedy=remedy)
    return layout


def _same_crops(trained: GridConfig, grid: CropGrid, checkpoint: Path) -> None:
    if (trained.height, trained.width) != (grid.height, grid.width):
        raise RunError(
            f"trained with crops of {trained.height} x {trained.width} pixels (height x width), here they are "
            f"{grid.height} x {grid.width}",
            key="source.checkpoint",
            found=checkpoint,
            remedy=f"give data.crop.height={trained.height} data.crop.width={trained.width}, and tags of such crops",
        )


def _same_classes(trained: Catalog, catalog: Catalog, checkpoint: Path) -> None:
    if [(c.name, c.is_thing) for c in trained.classes] != [(c.name, c.is_thing) for c in catalog.classes]:
        raise RunError(
            f"trained with classes {', '.join(trained.names)}; data.classes has {', '.join(catalog.names)}",
            key="source.checkpoint",
            found=checkpoint,
        )
