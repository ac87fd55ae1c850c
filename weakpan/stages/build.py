"""Lightning objects from the configuration: networks, modules, trainers, loggers."""

from __future__ import annotations

import logging
import re
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import hydra.utils
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.loggers import CSVLogger, Logger

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, DataError, WeakpanError, one_line
from weakpan.callbacks.progress import StageProgress
from weakpan.config.train import ClassifierConfig, SegmenterConfig, TrainConfig
from weakpan.parallel.ranks import enter_stage, from_rank_zero
from weakpan.storage.checkpoints import WholeCheckpoints, refuse_damaged, save_whole
from weakpan.storage.files import write_text_atomically
from weakpan.storage.layout import RunLayout
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.segmenter_module import SegmenterModule

_MOST_SAID = 300
"""Characters that are quoted of an error of torch, which may list all tensors of a network."""


def quieten_lightning() -> None:
    """Silence what Lightning repeats for each of the many Trainers of a run and nobody can act on."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*does not have many workers.*",
        ".*LeafSpec.*is deprecated.*",
        ".*The number of training batches .* is smaller than the logging interval.*",
        "Grad strides do not match bucket view strides.*",
    ):
        warnings.filterwarnings("ignore", message=message)


def build_classifier(config: ClassifierConfig, catalog: Catalog) -> ClassifierModule:
    """The crop classifier with its initial weights."""
    network = _instantiate("classifier.network", asdict(config.network), num_classes=catalog.num_classes)
    return _module(
        ClassifierModule,
        "classifier.module",
        config.module,
        network=network,
        optimiser=config.optimiser,
        scales=config.crops.scales,
    )


def build_segmenter(config: SegmenterConfig, catalog: Catalog, with_init: bool = True) -> SegmenterModule:
    """The segmenter; `with_init=False` leaves out the initial weights because a checkpoint will be loaded."""
    arguments = asdict(config.network)
    if not with_init:
        arguments["init"] = None
    network = _instantiate("segmenter.network", arguments, num_classes=catalog.num_classes)
    return _module(
        SegmenterModule,
        "segmenter.module",
        config.module,
        network=network,
        catalog=catalog,
        optimiser=config.optimiser,
        losses=config.losses,
        decode=config.decode,
        frozen_batch_norm=config.frozen_batch_norm,
        flip_average=config.flip_average,
        channels_last=config.channels_last,
    )


Module = TypeVar("Module", bound=pl.LightningModule)


def _module(base: type[Module], key: str, target: str, **arguments: Any) -> Module:
    try:
        module = hydra.utils.get_class(target)(**arguments)
    except (ImportError, ValueError, TypeError) as error:
        raise ConfigError(f"{key}={target} cannot be built: {error}") from error
    if not isinstance(module, base):
        raise ConfigError(f"{key}={target} is a {type(module).__name__}; expected a {base.__name__} or a subclass")
    return module


def _instantiate(key: str, node: dict[str, Any], **more: Any) -> Any:
    try:
        return hydra.utils.instantiate(node, **more)
    except hydra.errors.InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, WeakpanError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from error
        raise ConfigError(f"{key} cannot be built: {error}") from error


def build_loggers(config: TrainConfig, layout: RunLayout) -> dict[str, Logger]:
    """Loggers that live as long as the run; CSV logs are made anew for each stage, in a folder of their own.

    Every rank calls this. A W&B run is gone on with when the job is.
    """
    loggers: dict[str, Logger] = {}
    for name, node in config.logger.items():
        if node is None or name == "csv":
            continue
        more = {"save_dir": str(layout.folder)}
        if str(node.get("_target_")).endswith(".WandbLogger") and node.get("id") is None:
            more |= {"id": from_rank_zero(lambda: _wandb_id(layout.wandb_id)), "resume": node.get("resume") or "allow"}
        loggers[name] = _instantiate(f"logger.{name}", dict(node), **more)
    return loggers


def _wandb_id(path: Path) -> str:
    """The id in a file, which is written by the first start of a job."""
    if not path.is_file():
        # As W&B makes them, which would make a new one at every start.
        write_text_atomically(path, f"{secrets.token_hex(4)}\n")
    found = path.read_text(encoding="utf-8").strip()
    if re.fullmatch(r"[\w-]{1,64}", found) is None:
        raise DataError(f"{path}: {found[:80]!r} is no id of a W&B run; delete the file to begin a new one")
    return found


def build_trainer(
    config: TrainConfig,
    layout: RunLayout,
    stage: str,
    callbacks: Sequence[pl.Callback],
    loggers: Sequence[Logger] = (),
    **more: Any,
) -> pl.Trainer:
    """A fresh Trainer for one stage.

    Args:
        config: of the run.
        layout: of the run.
        stage: name for progress lines and logs, for instance `round 1 fit`.
        callbacks: of this stage, beside those of the configuration.
        loggers: that live as long as the run.
        more: overrides the configured arguments.
    """
    enter_stage(stage)
    configured = [
        _instantiate(f"callbacks.{name}", dict(node)) for name, node in config.callbacks.items() if node is not None
    ]
    for callback in configured:
        if isinstance(callback, StageProgress):
            callback.stage = stage
    own: list[Logger] = list(loggers)
    if config.logger.get("csv") is not None and "max_epochs" in more:
        own.append(CSVLogger(str(layout.logs), name="", version=_new_log(layout.logs, stage.replace(" ", "_"))))
    arguments = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        # The project's own samplers share the work, without repeating images.
        "use_distributed_sampler": False,
        **config.trainer,
        "logger": own or False,
        "callbacks": [*configured, *callbacks],
        "plugins": _plugins(config),
        "default_root_dir": str(layout.folder),
        **more,
    }
    trainer = _instantiate("trainer", arguments)
    assert isinstance(trainer, pl.Trainer)
    return trainer


def _plugins(config: TrainConfig) -> list[Any]:
    plugins: list[Any] = [WholeCheckpoints(), *config.trainer.get("plugins", [])]
    if SLURMEnvironment.detect():
        # Lightning would save in the middle of an epoch, where training cannot go on as if nothing had happened, and
        # load that file in the fits of all later stages; the job asks for its place in the queue itself.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


def _new_log(folder: Path, stage: str) -> str:
    """A name that no earlier process used: the logger would delete what a training wrote before it was interrupted."""
    count = len(list(folder.glob(f"{stage}*")))
    return stage if count == 0 else f"{stage}_again_{count}"


def save_weights(module: pl.LightningModule, path: Path, about: dict[str, Any]) -> None:
    """Write the network's weights and what is needed to build it again, atomically; plain containers only."""
    state = {name: value.detach().cpu() for name, value in module.state_dict().items()}
    save_whole({"state_dict": state, "weakpan": about}, path)


def load_weights(module: pl.LightningModule, path: Path) -> dict[str, Any]:
    """Load weights that `save_weights` wrote.

    Returns:
        What `save_weights` was told about them.

    Raises:
        DataError: a missing or damaged file, or one of another network.
    """
    refuse_damaged(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(content["state_dict"])
        return dict(content["weakpan"])
    except Exception as error:  # torch raises half a dozen types for a damaged file
        what = one_line(f"{type(error).__name__}: {error}")[:_MOST_SAID]
        raise DataError(
            f"{path}: not a checkpoint of this network ({what}); it was made with other settings of the network, or by "
            "another version of weakpan"
        ) from error
