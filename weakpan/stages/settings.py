"""The settings that a run folder stands for, compared before a run goes on, and the record of how it was started.

A command that is refused leaves the folder as it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from weakpan.config.objects import build
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import settings_of
from weakpan.data.annotation_file import write_weak_annotations
from weakpan.seeds.source import SeedSource
from weakpan.stages.experiment import Experiment
from weakpan.storage.files import replacing, write_text_atomically
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import read_settings, refuse_changed_settings, write_manifest

_FREE = (
    # More rounds, other scores or another place for the data leave what is made as it is.
    "rounds.n",
    "rounds.stop_on_loss",
    "rounds.min_loss_drop",
    "data.root",
    "data.val",
    "segmenter.decoder",
    # Paths; what the files say is compared instead.
    "data.train_list",
    "data.weak_annotations",
    "full_list",
)
_OF_TRAINER = ("precision", "gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches")


def _of_config(config: TrainConfig) -> dict[str, Any]:
    groups = settings_of(
        config, "seed", "supervision", "data", "masks", "seeds", "labels", "classifier", "segmenter", "rounds"
    )
    free = (*_FREE, *(f"seeds.{name}" for name in build(SeedSource, config.seeds, "seeds").without_effect))
    settings = {key: value for key, value in groups.items() if not key.startswith(free)}
    for key in _OF_TRAINER:
        settings[f"trainer.{key}"] = config.trainer.get(key)
    return settings


def run_settings(experiment: Experiment, weak_annotations: Path | None = None) -> dict[str, Any]:
    """Flat settings (`a.b.c` to value) that would make other labels or weights, digests of the inputs included.

    Args:
        experiment: of the run.
        weak_annotations: file of them, where it is not yet that of the run folder.
    """
    settings = _of_config(experiment.config)
    settings |= experiment.mask_contents
    settings |= {f"seeds.{key} content": digest for key, digest in experiment.seed_source.contents().items()}
    settings["training images"] = digest_of_ids(experiment.train.ids)
    settings["fully labelled images"] = digest_of_ids(sorted(experiment.full_ids))
    if experiment.annotations is not None:
        settings["weak annotations"] = zlib.crc32((weak_annotations or experiment.layout.weak_annotations).read_bytes())
    return settings


def settings_for(experiment: Experiment, *groups: str) -> dict[str, Any]:
    """Those of `run_settings` that belong to some groups, and what tells images and their annotations."""
    inputs = ("training images", "weak annotations")
    return {k: v for k, v in run_settings(experiment).items() if k in inputs or k.partition(".")[0] in groups}


def refuse_other_settings(config: TrainConfig, layout: RunLayout) -> None:
    """Compare what the configuration alone says with the settings of the run folder, before any data is looked at.

    Raises:
        RunError: the folder was made with other settings; the message names them.
    """
    if layout.settings.is_file():
        # Keys of the configuration have no blank in them; names of digests, which need the data, do.
        sealed = {key: value for key, value in read_settings(layout.settings).items() if " " not in key}
        refuse_changed_settings(layout.settings, sealed, _of_config(config))


def claim_run_folder(experiment: Experiment) -> None:
    """Write settings, weak annotations and configuration of a new run; for one that goes on, compare the settings.

    Raises:
        RunError: the folder was made with other settings; the message names them. It is as it was then.
    """
    layout, goes_on = experiment.layout, experiment.layout.settings.is_file()
    with _weak_annotations(experiment) as file:
        settings = run_settings(experiment, file)
        if goes_on:
            refuse_changed_settings(layout.settings, read_settings(layout.settings), settings)
        else:
            # Before the annotations get their place: a start that ends in between leaves none that others would use.
            write_manifest(layout.settings, {"settings": settings})
    write_text_atomically(layout.config, config_text(experiment.config))
    if HydraConfig.initialized():
        # Hydra itself would write this before anybody has looked whether the run may go on.
        hydra = HydraConfig.get()
        write_text_atomically(layout.hydra, OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
        write_text_atomically(layout.hydra.with_name("overrides.yaml"), OmegaConf.to_yaml(hydra.overrides.task))


def config_text(config: TrainConfig) -> str:
    """The configuration as `config.yaml` and the results hold it."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


@contextmanager
def _weak_annotations(experiment: Experiment) -> Iterator[Path]:
    """The run folder's file of weak annotations; a new one gets its place when the block ends without an error."""
    file = experiment.layout.weak_annotations
    if experiment.annotations is None or file.is_file():
        yield file
        return
    with replacing(file) as new:
        write_weak_annotations(new, experiment.annotations)
        yield new


def digest_of_ids(ids: Iterable[str]) -> str:
    """Number and checksum of image ids, in their order."""
    names = list(ids)
    return f"{len(names)} ids, crc32 {zlib.crc32(chr(10).join(names).encode()):08x}"
