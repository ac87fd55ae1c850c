"""The settings that a run folder stands for: written first, and compared before a run goes on."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from omegaconf import OmegaConf

from weakpan.config.train_checks import settings_of
from weakpan.files import write_text_atomically
from weakpan.map_store import read_manifest, refuse_changed_settings, write_manifest
from weakpan.stages.experiment import Experiment

_FREE = (
    # More rounds, other scores or another place for the data leave what is made as it is.
    "rounds.n",
    "rounds.stop_on_loss",
    "rounds.min_loss_drop",
    "data.root",
    "data.val",
    "segmenter.decode",
    # Paths; what the files say is compared instead.
    "data.train_list",
    "data.weak_annotations",
    "full_list",
)
_OF_TRAINER = ("precision", "gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches")


def run_settings(experiment: Experiment) -> dict[str, Any]:
    """Flat settings (`a.b.c` to value) that would make other labels or weights, digests of the inputs included."""
    groups = settings_of(
        experiment.config, "seed", "supervision", "data", "cues", "labels", "classifier", "segmenter", "rounds"
    )
    settings = {key: value for key, value in groups.items() if not key.startswith(_FREE)}
    for key in _OF_TRAINER:
        settings[f"trainer.{key}"] = experiment.config.trainer.get(key)
    settings["training images"] = _digest(experiment.train.ids)
    settings["fully labelled images"] = _digest(sorted(experiment.full_ids))
    if experiment.annotations is not None:
        settings["weak annotations"] = zlib.crc32(experiment.layout.weak_annotations.read_bytes())
    return settings


def claim_run_folder(experiment: Experiment) -> None:
    """Write the settings and the configuration of a new run; for one that goes on, compare the settings.

    Raises:
        RunError: the folder was made with other settings; the message names them.
    """
    layout, settings = experiment.layout, run_settings(experiment)
    if layout.settings.is_file():
        refuse_changed_settings(layout.settings, read_manifest(layout.settings)["settings"], settings)
    else:
        write_manifest(layout.settings, {"settings": settings})
    write_text_atomically(layout.config, OmegaConf.to_yaml(OmegaConf.structured(experiment.config)))


def _digest(ids: Iterable[str]) -> str:
    names = list(ids)
    return f"{len(names)} ids, crc32 {zlib.crc32(chr(10).join(names).encode()):08x}"
