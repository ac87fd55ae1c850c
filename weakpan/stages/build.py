"""Lightning objects from the configuration: networks, modules, trainers, loggers."""

from __future__ import annotations

import logging
import re
import secrets
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.loggers import CSVLogger, Logger
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.profilers import AdvancedProfiler, SimpleProfiler
from torch import nn

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, DataError, WeakpanError
from weakpan.callbacks.progress import StageProgress
from weakpan.config.modules import BESIDE, classifier_crops
from weakpan.config.objects import build, check_object, is_node, locate
from weakpan.config.train import RunConfig
from weakpan.models.crop_classifier import CropClassifier
from weakpan.models.panoptic_net import PanopticNet
from weakpan.parallel.ranks import enter_stage, from_rank_zero
from weakpan.storage.checkpoints import WholeCheckpoints
from weakpan.storage.files import write_text_atomically
from weakpan.storage.layout import RunLayout
from weakpan.training.base import TrainingModule
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.losses import LossTerm
from weakpan.training.segmenter_module import SegmenterModule

_PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}


def quieten_lightning() -> None:
    """Silence what Lightning repeats for each of the many Trainers of a run and nobody can act on."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*does not have many workers.*",
        ".*LeafSpec.*is deprecated.*",
        ".*The number of training batches .* is smaller than the logging interval.*",
        "Grad strides do not match bucket view strides.*",
    ):
        warnings.filterwarnings("ignore", message=message)


def build_classifier(config: Mapping[str, Any], catalog: Catalog) -> ClassifierModule:
    """The crop classifier of group `classifier`, with its initial weights."""
    network = _network("classifier", config, catalog)
    return _module(ClassifierModule, "classifier", config, network=network, scales=classifier_crops(config).scales)


def build_segmenter(config: Mapping[str, Any], catalog: Catalog, with_init: bool = True) -> SegmenterModule:
    """The segmenter of group `segmenter`; `with_init=False` for one that a checkpoint will be loaded into."""
    network = _network("segmenter", config, catalog, with_init)
    return _module(SegmenterModule, "segmenter", config, network=network, catalog=catalog)


def check_module_objects(config: RunConfig) -> None:
    """Raise ConfigError, with the key, where both groups name what is not there or does not take its arguments."""
    for expected, group, node, given in (
        (ClassifierModule, "classifier", config.classifier, ("network", "scales")),
        (SegmenterModule, "segmenter", config.segmenter, ("network", "catalog")),
    ):
        check_object(_of_module(node), group, given, expected)
        check_object(node["network"], f"{group}.network", ("num_classes",), nn.Module)
        for name, term in node["losses"].items():
            if term is not None:
                check_object(term, f"{group}.losses.{name}", expected=LossTerm)


def _of_module(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the module; optimizer and schedule are made when the parameters are there."""
    node = {key: value for key, value in config.items() if key not in (*BESIDE, "network")}
    for slot in ("optimizer", "scheduler"):
        if is_node(node.get(slot)):
            node[slot] = {**node[slot], "_partial_": True}
    return node


def _network(group: str, config: Mapping[str, Any], catalog: Catalog, with_init: bool = True) -> nn.Module:
    node = dict(config["network"])
    if not with_init and "init" in node:
        node["init"] = None
    try:
        return build(nn.Module, node, f"{group}.network", num_classes=catalog.num_classes)
    except WeakpanError as error:
        if error.key == f"{group}.network.init" and node["init"] == config.get("init"):
            # As it was typed.
            error.key = f"{group}.init"
        raise


Module = TypeVar("Module", bound=TrainingModule)


def _module(expected: type[Module], group: str, config: Mapping[str, Any], **given: Any) -> Module:
    module = build(expected, _of_module(config), group, **given)
    try:
        # Once for nothing: what they do not take must not come out when the training begins.
        module.make_optimizers(steps=1)
    except ConfigError as error:
        raise error.below(group) from error
    return module


def shares_encoder(config: RunConfig) -> bool:
    """Whether both networks have the same encoder, in the places where ours have it."""
    classifier, segmenter = config.classifier["network"], config.segmenter["network"]
    ours = all(
        issubclass(locate(node["_target_"], f"{group}.network._target_"), expected)
        for group, node, expected in (("classifier", classifier, CropClassifier), ("segmenter", segmenter, PanopticNet))
    )
    return ours and classifier.get("encoder") == segmenter.get("encoder")


def build_loggers(config: RunConfig, layout: RunLayout) -> dict[str, Logger]:
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
        loggers[name] = build(Logger, node, f"logger.{name}", **more)
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
    config: RunConfig,
    layout: RunLayout,
    stage: str,
    callbacks: Sequence[pl.Callback],
    loggers: Sequence[Logger] = (),
    **more: Any,
) -> pl.Trainer:
    """A fresh Trainer for one stage, named as in progress lines and logs, for instance `round 1 fit`.

    Callbacks of the configuration stand beside those that are given; `more` overrides the configured arguments.
    """
    enter_stage(stage)
    fits = "max_epochs" in more
    own: list[Logger] = list(loggers)
    if config.logger.get("csv") is not None and fits:
        own.append(CSVLogger(str(layout.logs), name="", version=_new_log(layout.logs, stage.replace(" ", "_"))))
    settings = {
        "_target_": "pytorch_lightning.Trainer",
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        # The project's own samplers share the work, without repeating images.
        "use_distributed_sampler": False,
        **{key: value for key, value in config.trainer.items() if key != "plugins"},
        "default_root_dir": str(layout.folder),
        **more,
    }
    # Some callbacks refuse a Trainer without a logger.
    objects: dict[str, Any] = {
        "logger": own or [DummyLogger()],
        "callbacks": [*_callbacks(config, stage, fits), *callbacks],
        "plugins": _plugins(config),
    }
    profiler = _PROFILERS.get(str(settings.get("profiler")))
    if profiler is not None:
        # Lightning would log what it found, which is silenced for the many Trainers of a run.
        del settings["profiler"]
        objects["profiler"] = profiler(layout.logs, f"profile_{stage.replace(' ', '_')}")
    try:
        return build(pl.Trainer, settings, "trainer", **objects)
    except ConfigError as error:
        error.remedy = error.remedy or "mend that key, or run on the CPU with trainer=cpu"
        raise


def _callbacks(config: RunConfig, stage: str, fits: bool) -> list[pl.Callback]:
    """Those of the configuration; checkpoints are for trainings only, and Lightning refuses them elsewhere."""
    found = [
        build(pl.Callback, node, f"callbacks.{name}") for name, node in config.callbacks.items() if node is not None
    ]
    for callback in found:
        if isinstance(callback, StageProgress):
            callback.stage = stage
    return [callback for callback in found if fits or not isinstance(callback, Checkpoint)]


def _plugins(config: RunConfig) -> list[Any]:
    plugins: list[Any] = [WholeCheckpoints(), *(config.trainer.get("plugins") or [])]
    if SLURMEnvironment.detect():
        # Lightning would save in the middle of an epoch, where training cannot go on as if nothing had happened, and
        # load that file in the fits of all later stages; the job asks for its place in the queue itself.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


def _new_log(folder: Path, stage: str) -> str:
    """A name that no earlier process used: the logger would delete what a training wrote before it was interrupted."""
    count = len(list(folder.glob(f"{stage}*")))
    return stage if count == 0 else f"{stage}_again_{count}"
