"""From what was composed for train.py to checked, typed settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

from omegaconf import DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import check_values, to_object
from weakpan.config.modules import check_modules
from weakpan.config.train import Supervision, TrainConfig

_FIGURES = {
    "val": ("miou", "pq", "sq", "rq", "pq_things", "pq_stuff", "ap", "ap50"),
    "labels": ("labelled", "accuracy", "miou", "pq"),
}
"""Figures of a round that a sweep can optimise."""


def to_train_config(composed: DictConfig) -> TrainConfig:
    """The composed configuration as typed objects, checked.

    Raises:
        ConfigError: a missing value, an interpolation that leads nowhere, or a value out of range.
    """
    config = to_object(TrainConfig, composed)
    check_train(config)
    return config


def check_train(config: TrainConfig) -> None:
    """Refuse values that have the right type and still make no sense; raises ConfigError naming the key."""
    _check_ranges(config)
    _ = config.mask_source, config.seed_source, config.label_rules
    check_modules(config.classifier, config.segmenter)
    own = [key for key in ("max_epochs", "logger", "callbacks", "default_root_dir") if key in config.trainer]
    if own:
        raise ConfigError(
            f"trainer.{own[0]}={config.trainer[own[0]]}: set by the loop itself; use rounds.epochs and "
            "classifier.epochs, logger, callbacks or run"
        )
    group, _, figure = config.metric.partition(".")
    if config.metric != "train_loss" and (group not in ("val", "labels") or figure not in _FIGURES[group]):
        names = ", ".join(f"{g}.{name}" for g, names in _FIGURES.items() for name in names)
        raise ConfigError(f"metric={config.metric}: expected train_loss or one of {names}")
    if (config.supervision is Supervision.semi) != (config.full_list is not None):
        raise ConfigError(
            f"supervision={config.supervision.value} with full_list={config.full_list}: "
            + (
                "give full_list=FILE, the ids of fully labelled images"
                if config.full_list is None
                else "the list of fully labelled images belongs to supervision=semi; leave it out"
            )
        )


def _check_ranges(config: TrainConfig) -> None:
    at_least_one = {
        "rounds.n": config.rounds.n,
        "rounds.epochs": config.rounds.epochs,
        "data.crop.height": config.data.crop.height,
        "data.crop.width": config.data.crop.width,
        "workers": 1 if config.workers is None else config.workers,
    }
    not_negative = {
        "seed": config.seed,
        "data.workers": config.data.workers,
        "report.train_images": config.report.train_images,
        "report.val_images": config.report.val_images,
    }
    check_values(at_least_one, lambda v: v >= 1, "1 or more")
    check_values({"rounds.min_loss_drop": config.rounds.min_loss_drop}, lambda v: 0 <= v <= 1, "0 to 1")
    check_values(not_negative, lambda v: v >= 0, "0 or more")


def settings_of(config: TrainConfig, *groups: str) -> dict[str, Any]:
    """Plain flat settings (`a.b.c` to value) of some groups, for manifests: what would make other labels."""
    flat: dict[str, Any] = {}
    for group in groups:
        value = getattr(config, group)
        _flatten(group, asdict(value) if hasattr(value, "__dataclass_fields__") else value, flat)
    # How many processes share the work does not change its result.
    return {key: value for key, value in flat.items() if not key.endswith(".workers")}


def _flatten(prefix: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{prefix}.{key}", inner, into)
    elif isinstance(value, Enum):
        into[prefix] = value.value
    else:
        into[prefix] = list(value) if isinstance(value, tuple | list) else value
