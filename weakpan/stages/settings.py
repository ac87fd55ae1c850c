"""The settings that the results of each stage stand for, compared before a run goes on."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from weakpan.basics.errors import errors_below
from weakpan.config.make_gt import MakeGtConfig
from weakpan.config.train import RunConfig
from weakpan.stages.experiment import Experiment
from weakpan.storage.files import content_digest, write_text_atomically
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import read_settings, refuse_changed_settings
from weakpan.storage.stage_record import StageRecord

ANNOTATIONS, MASKS, CLASSIFIER, SEEDS, LABELS, SEGMENTER = (
    "annotations", "masks", "classifier", "seeds", "labels", "segmenter",
)  # fmt: skip

_FREE = (
    # More rounds, other scores or another place for the data leave what is made as it is.
    "rounds.n",
    "rounds.stop_on_loss",
    "rounds.min_loss_drop",
    "data.name",
    "data.root",
    "data.val",
    "data.toy",
    "data.workers",
    "segmenter.decoder",
    "mask_net.loaders",
    # Paths; what the files say is compared instead.
    "data.train_list",
    "data.weak_annotations",
)
_OF_TRAINER = (
    "precision", "gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches", "limit_train_batches",
    "overfit_batches", "max_steps", "max_time",
)  # fmt: skip


def _groups(config: RunConfig, stage: str, round_index: int) -> tuple[str, ...]:
    """Groups and keys of the configuration that the results of a stage depend on.

    What a run does not use binds nothing: where labels were given or are ground truth, neither seeds nor the settings
    of what makes them.
    """
    if stage == LABELS and config.released:
        # Masks, seeds and predictions are files that were given.
        return ("data", "labels", "labels_from")
    seeds = config.seed_source
    classifier = ("seed", "data", "classifier", "trainer")
    of_seeds = ("seed", "data", "seeds", "heatmaps_from", *(("masks",) if seeds.needs_masks else ()))
    if seeds.needs_classifier and config.heatmaps_from is None:
        of_seeds += (*classifier, "classifier_from")
    first_labels = ("data", "labels_from", *((*of_seeds, "masks", "labels") if config.needs_seeds else ()))
    network: tuple[str, ...] = ("seed", "data", "supervision", "full_list", "segmenter", "rounds", "trainer")
    if config.starts_from_classifier:
        network += (*classifier, "classifier_from")
    if config.weakly:
        network += first_labels
    later_labels = (*network, "masks", "labels")
    return {
        ANNOTATIONS: ("data",),
        "mask_net": ("data", "mask_net"),
        MASKS: ("data", "masks"),
        CLASSIFIER: classifier,
        SEEDS: of_seeds,
        LABELS: later_labels if round_index else first_labels,
        SEGMENTER: later_labels if round_index and config.weakly else network,
    }[stage]


def settings_of(config: RunConfig, stage: str, round_index: int = 0) -> dict[str, Any]:
    """What the configuration alone says, flat (`a.b.c` to value)."""
    source = config.seed_source
    without_effect = source.without_effect if config.heatmaps_from is None else source.without_effect_on_heatmaps
    free = (*_FREE, *(f"seeds.{name}" for name in without_effect))
    flat: dict[str, Any] = {}
    for group in dict.fromkeys(_groups(config, stage, round_index)):
        if group == "trainer":
            flat |= {f"trainer.{key}": config.trainer.get(key) for key in _OF_TRAINER}
        else:
            flat |= flatten(group, getattr(config, group))
    if isinstance(config, MakeGtConfig) and config.released:
        flat |= {"layout.inputs": config.layout.inputs, "round": config.round if stage == LABELS else None}
        flat["data.root"] = _in_full(config.data.root)
        return {k: v for k, v in flat.items() if k == "data.root" or not k.startswith(free)}
    return {key: value for key, value in flat.items() if not key.startswith(free)}


def stage_settings(experiment: Experiment, stage: str, round_index: int = 0) -> dict[str, Any]:
    """Flat settings that would make other results of a stage, checksums of files that it reads included."""
    config, settings = experiment.config, settings_of(experiment.config, stage, round_index)
    groups = _groups(config, stage, round_index)
    if "masks" in groups:
        with errors_below("masks"):
            contents = experiment.masks.contents()
        settings |= {f"masks.{key} content": digest for key, digest in contents.items()}
    if "seeds" in groups:
        settings |= {f"seeds.{key} content": digest for key, digest in experiment.seeds.contents().items()}
    for key in ("classifier_from", "labels_from"):
        path = getattr(config, key)
        if key in groups and path is not None:
            settings |= _content_of(Path(path), f"{key} content", experiment, stage, round_index)
    if "full_list" in groups:
        settings["full_list"] = digest_of_ids(sorted(experiment.full_ids))
    file = _weak_annotations(experiment, stage)
    if file is not None:
        settings["weak annotations"] = content_digest([file])
    if not config.released:
        settings["training images"] = digest_of_ids(experiment.train.ids)
    return settings


def _content_of(path: Path, name: str, experiment: Experiment, stage: str, round_index: int) -> dict[str, str]:
    """Checksum of a file, or what the stage has recorded of it where it is gone: what is made needs it no more."""
    if path.is_file():
        return {name: content_digest([path])}
    if path.exists():
        return {}
    # Later stages may have begun when it was gone already.
    for of_stage, index in ((stage, round_index), (LABELS, 0), (SEEDS, 0)):
        recorded = experiment.stores.record(of_stage, {}, round_index=index).settings_path
        known = read_settings(recorded) if recorded.is_file() else {}
        if name in known:
            return {name: known[name]}
    return {}


def record_of(
    experiment: Experiment, stage: str, round_index: int = 0, inputs: Mapping[str, str] | None = None
) -> StageRecord:
    """Settings, inputs and seal of a stage."""
    return experiment.stores.record(stage, stage_settings(experiment, stage, round_index), inputs, round_index)


def _weak_annotations(experiment: Experiment, stage: str) -> Path | None:
    """File of boxes and tags that a stage reads: the run's own, or the one it is made from, while that is there."""
    given = experiment.config.data.weak_annotations
    if stage != ANNOTATIONS:
        return experiment.annotations.file
    return None if given is None or not Path(given).is_file() else Path(given)


def refuse_other_settings(config: RunConfig, layout: RunLayout) -> None:
    """Compare what the configuration alone says with what is in a run folder, before any data is looked at.

    Raises:
        RunError: a stage was made with other settings; the message names them.
    """
    for stage, round_index in _begun(layout):
        path = layout.stage(stage, round_index) / "settings.json"
        # Keys of the configuration have no blank in them; names of checksums, which need the data, do.
        sealed = {k: v for k, v in read_settings(path).items() if " " not in k and k != "full_list"}
        now = {k: v for k, v in settings_of(config, stage, round_index).items() if k != "full_list"}
        refuse_changed_settings(path, sealed, now)


def refuse_other_inputs(experiment: Experiment) -> None:
    """Compare all that is known once the data was looked at with what is in a run folder, before anything is written.

    Raises:
        RunError: a stage was made with other settings or files; the message names them.
    """
    for stage, round_index in _begun(experiment.layout):
        path = experiment.layout.stage(stage, round_index) / "settings.json"
        sealed, now = read_settings(path), stage_settings(experiment, stage, round_index)
        if "weak annotations" not in now:
            # They are derived again, or the file that they came from is gone.
            sealed.pop("weak annotations", None)
        refuse_changed_settings(path, sealed, now)


def _begun(layout: RunLayout) -> Iterator[tuple[str, int]]:
    """Stages that a run folder holds settings of, and their rounds."""
    rounds = itertools.takewhile(lambda index: layout.round(index).folder.is_dir(), itertools.count())
    before = ((stage, 0) for stage in (ANNOTATIONS, MASKS, CLASSIFIER, SEEDS))
    for stage, index in itertools.chain(before, ((s, index) for index in rounds for s in (LABELS, SEGMENTER))):
        if (layout.stage(stage, index) / "settings.json").is_file():
            yield stage, index


def write_config(experiment: Experiment) -> None:
    """Keep the configuration that the run was last started with and that was accepted, and Hydra's record of it."""
    layout = experiment.layout
    write_text_atomically(layout.config, config_text(experiment.config))
    if HydraConfig.initialized():
        # Hydra itself would write this before anybody has looked whether the run may go on.
        hydra = HydraConfig.get()
        write_text_atomically(layout.hydra, OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
        write_text_atomically(layout.hydra.with_name("overrides.yaml"), OmegaConf.to_yaml(hydra.overrides.task))


def config_text(config: RunConfig) -> str:
    """The configuration as `config.yaml` and the results hold it; how much is said changes nothing that is made."""
    return OmegaConf.to_yaml(OmegaConf.structured(replace(config, verbose=False, quiet=False)))


def digest_of_ids(ids: Iterable[str]) -> str:
    """Number and checksum of image ids, in their order."""
    names = list(ids)
    return f"{len(names)} ids, crc32 {zlib.crc32(chr(10).join(names).encode()):08x}"


def flatten(prefix: str, value: Any) -> dict[str, Any]:
    """Plain flat settings, `a.b.c` to value; arguments called `path` are full paths."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {k: v for key, inner in value.items() for k, v in flatten(f"{prefix}.{key}", inner).items()}
    if isinstance(value, Enum):
        return {prefix: value.value}
    if prefix.endswith(("path", "_from")) and isinstance(value, str):
        return {prefix: _in_full(value)}
    return {prefix: list(value) if isinstance(value, tuple | list) else value}


def _in_full(path: str) -> str:
    return str(Path(path).resolve())
