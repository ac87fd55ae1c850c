"""From what was composed for train.py to checked, typed settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

from omegaconf import DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import check_values, to_object
from weakpan.config.objects import build
from weakpan.config.train import Supervision, TrainConfig
from weakpan.seeds.source import SeedSource

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
    build(SeedSource, config.seeds, "seeds")
    views, classifier = config.segmenter.views, config.classifier
    if views.max_scale < views.min_scale:
        raise ConfigError(
            f"segmenter.views.max_scale={views.max_scale} is below segmenter.views.min_scale={views.min_scale}"
        )
    for key, stride in (
        ("segmenter", config.segmenter.network.output_stride),
        ("classifier", classifier.network.output_stride),
    ):
        if stride not in (None, 8, 16, 32):
            raise ConfigError(f"{key}.network.output_stride={stride}: expected 8, 16 or 32")
    for key, name in (
        ("segmenter", config.segmenter.optimiser.name),
        ("classifier", classifier.optimiser.name),
    ):
        if name not in ("adamw", "sgd"):
            raise ConfigError(f"{key}.optimiser.name={name}: expected adamw or sgd")
    if config.segmenter.decode.centre_window % 2 == 0:
        raise ConfigError(f"segmenter.decode.centre_window={config.segmenter.decode.centre_window}: must be odd")
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
    views, rounds, classifier = config.segmenter.views, config.rounds, config.classifier
    at_least_one = {
        "rounds.n": rounds.n,
        "rounds.epochs": rounds.epochs,
        "classifier.epochs": classifier.epochs,
        "classifier.crops.images_per_batch": classifier.crops.images_per_batch,
        "segmenter.views.batch_size": views.batch_size,
        "segmenter.views.crop_height": views.crop_height,
        "segmenter.views.crop_width": views.crop_width,
        "segmenter.network.channels": config.segmenter.network.channels,
        "data.crop.height": config.data.crop.height,
        "data.crop.width": config.data.crop.width,
        "workers": 1 if config.workers is None else config.workers,
        "classifier.crops.height": 1 if classifier.crops.height is None else classifier.crops.height,
        "classifier.crops.width": 1 if classifier.crops.width is None else classifier.crops.width,
        "segmenter.network.bins": min(config.segmenter.network.bins, default=0),
        "segmenter.network.finest_stride": config.segmenter.network.finest_stride,
        "segmenter.decode.centre_window": config.segmenter.decode.centre_window,
        "segmenter.decode.max_instances": config.segmenter.decode.max_instances,
    }
    above_zero = {
        "segmenter.views.scale": views.scale,
        "segmenter.views.min_scale": views.min_scale,
        "segmenter.views.centre_sigma": views.centre_sigma,
        "segmenter.optimiser.learning_rate": config.segmenter.optimiser.learning_rate,
        "classifier.optimiser.learning_rate": classifier.optimiser.learning_rate,
    }
    share = {
        "rounds.min_loss_drop": rounds.min_loss_drop,
        "segmenter.network.dropout": config.segmenter.network.dropout,
        "classifier.network.dropout": classifier.network.dropout,
        "segmenter.optimiser.warmup": config.segmenter.optimiser.warmup,
        "classifier.optimiser.warmup": classifier.optimiser.warmup,
    }
    not_negative = {
        "seed": config.seed,
        "data.workers": config.data.workers,
        "segmenter.views.colour_jitter": views.colour_jitter,
        "report.train_images": config.report.train_images,
        "report.val_images": config.report.val_images,
        "classifier.crops.colour_jitter": classifier.crops.colour_jitter,
        **{f"segmenter.losses.{k}": v for k, v in asdict(config.segmenter.losses).items()},
        **{
            f"{group}.optimiser.{key}": getattr(settings, key)
            for group, settings in (("segmenter", config.segmenter.optimiser), ("classifier", classifier.optimiser))
            for key in ("encoder_factor", "weight_decay", "power")
        },
    }
    check_values(at_least_one, lambda v: v >= 1, "1 or more")
    check_values(above_zero, lambda v: v > 0, "more than 0")
    check_values(share, lambda v: 0 <= v <= 1, "0 to 1")
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
