"""The trained crop classifier that seeds ask for: of this run, or of another one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from weakpan.basics.errors import ConfigError, RunError
from weakpan.config.modules import classifier_crops
from weakpan.config.trust import refuse_untrusted
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.settings import TagCropSettings
from weakpan.models.crop_classifier import CropClassifier
from weakpan.stages.build import build_classifier
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import CLASSIFIER
from weakpan.storage.checkpoints import Checkpoint, read_checkpoint
from weakpan.tasks.stores import RunStores

Load = Callable[[], tuple[CropClassifier, TagCropSettings]]
"""Gives the network, and how crops are shown to it."""


def find_classifier(experiment: Experiment, grid: CropGrid) -> Load:
    """Find the classifier, and hold that of another run against classes and crops.

    Raises:
        ConfigError: there is none, or it names code of a package that nobody trusts.
        RunError: it was trained with other classes or crops.
        DataError: it is damaged.
    """
    given, stores = experiment.config.classifier_from, experiment.stores
    if given is None:
        if not isinstance(stores, RunStores):
            raise ConfigError(
                "these seeds need a trained crop classifier",
                key="classifier_from",
                remedy="give classifier_from=RUN/classifier/last.ckpt, or heatmaps_from=FOLDER where they were kept",
            )
        return partial(_load, experiment, stores.layout.classifier_weights)
    path = Path(given)
    _check_fits(read_checkpoint(path, CLASSIFIER), experiment, grid)
    return partial(_load, experiment, path)


def _check_fits(found: Checkpoint, experiment: Experiment, grid: CropGrid) -> None:
    key, given = "classifier_from", experiment.config.classifier_from
    refuse_untrusted(found.module, "classifier", experiment.config.trust)
    trained, catalog = found.catalog, experiment.catalog
    if [(c.name, c.is_thing) for c in trained.classes] != [(c.name, c.is_thing) for c in catalog.classes]:
        raise RunError(
            f"trained with classes {', '.join(trained.names)}; data.classes has {', '.join(catalog.names)}",
            key=key,
            found=given,
        )
    crop = found.data["crop"]
    if (crop["height"], crop["width"]) != (grid.height, grid.width):
        raise RunError(
            f"trained with crops of {crop['height']} x {crop['width']} pixels (height x width), here they are "
            f"{grid.height} x {grid.width}",
            key=key,
            found=given,
            remedy=f"give data.crop.height={crop['height']} data.crop.width={crop['width']}, and tags of such crops",
        )


def _load(experiment: Experiment, path: Path) -> tuple[CropClassifier, TagCropSettings]:
    checkpoint = read_checkpoint(path, CLASSIFIER)
    own = experiment.config.classifier_from is None
    group = experiment.config.classifier if own else checkpoint.without_initial_weights()
    module = build_classifier(group, experiment.catalog)
    checkpoint.load_into(module, path)
    return module.network, classifier_crops(group)
