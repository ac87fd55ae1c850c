"""From what was composed to checked, typed settings of train.py; without torch, so that mistakes are told at once."""

from __future__ import annotations

from omegaconf import DictConfig

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import to_object
from weakpan.config.data import check_data
from weakpan.config.modules import check_modules
from weakpan.config.train import RunConfig, Supervision, TrainConfig

_FIGURES = {
    "val": ("miou", "pq", "sq", "rq", "pq_things", "pq_stuff", "ap", "ap50"),
    "held_out": ("tag_ap", "tags_satisfied", "tags_true", "box_ap", "box_ap50", "candidate_loss"),
    "labels": ("labelled", "accuracy", "miou", "pq"),
}
"""Figures of a round that a sweep can optimise."""

_OF_THE_LOOP = {
    **dict.fromkeys(("max_epochs", "logger", "callbacks", "default_root_dir"),
                    "use rounds.epochs and classifier.epochs, logger, callbacks or run"),
    "limit_predict_batches": "give fewer images, with data.train_list and data.val_list",
    "fast_dev_run": "use debug=fast",
}  # fmt: skip
"""Arguments of the Trainer that the stages set or that would leave images out of results, and what to use instead."""


def to_train_config(composed: DictConfig) -> TrainConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = to_object(TrainConfig, composed)
    check_run(config)
    group, _, figure = config.metric.partition(".")
    if config.metric != "train_loss" and figure not in _FIGURES.get(group, ()):
        names = ", ".join(f"{g}.{name}" for g, names in _FIGURES.items() for name in names)
        raise ConfigError(f"expected train_loss or one of {names}", key="metric", found=config.metric)
    return config


def check_run(config: RunConfig) -> None:
    """Refuse values that have the right type and still make no sense; raises ConfigError naming the key."""
    check_data(config.data)
    _ = config.mask_source, config.seed_source, config.label_rules
    check_modules(config.classifier, config.segmenter)
    for key, remedy in _OF_THE_LOOP.items():
        if key in config.trainer:
            raise ConfigError("set by the loop itself", key=f"trainer.{key}", found=config.trainer[key], remedy=remedy)
    if (config.supervision is Supervision.semi) != (config.full_list is not None):
        remedy = (
            "give full_list=FILE, the ids of fully labelled images"
            if config.full_list is None
            else "the list of fully labelled images belongs to supervision=semi; leave it out"
        )
        raise ConfigError(
            f"full_list={config.full_list}", key="supervision", found=config.supervision.value, remedy=remedy
        )
    if config.heatmaps_from is not None:
        _check_heatmaps(config)
    if config.heatmaps_from is not None and config.classifier_from is not None:
        raise ConfigError(
            "heatmaps are there, so that no classifier is needed", key="classifier_from", found=config.classifier_from,
            remedy="leave one of them out",
        )  # fmt: skip


def _check_heatmaps(config: RunConfig) -> None:
    given, source = config.heatmaps_from, config.seed_source
    if not source.reads_heatmaps:
        raise ConfigError("kept heatmaps need a rule", key="heatmaps_from", found=given, remedy="give seeds=cam")
    if getattr(source, "keep_heatmaps", False):
        raise ConfigError(
            "heatmaps are either read or made, and seeds.keep_heatmaps=true makes them",
            key="heatmaps_from",
            found=given,
            remedy="leave one of them out",
        )
