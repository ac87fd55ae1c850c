"""Groups `classifier` and `segmenter`: LightningModules by `_target_`, and what training them needs beside.

What can be told without torch is checked here; that the objects exist and take their arguments is checked when they are
built, before anything is written (`weakpan.stages.build`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import Range, above, at_least, check_value, nearest
from weakpan.config.objects import TARGET, build, is_node
from weakpan.data.loaders.settings import RandomCropSettings, TagCropSettings

CLASSIFIER = "weakpan.training.ClassifierModule"
SEGMENTER = "weakpan.training.SegmenterModule"

BESIDE = ("init", "crops", "epochs")
"""Keys of the groups that are not arguments of the module."""

_OF_MODULES = (TARGET, "network", "losses", "optimizer", "scheduler", "encoder_lr_factor")
KEYS = {
    CLASSIFIER: (*_OF_MODULES, "init", "crops", "epochs"),
    SEGMENTER: (
        *_OF_MODULES, "init", "crops", "decoder", "frozen_batch_norm", "flip_average", "channels_last",
    ),
}  # fmt: skip
"""Keys that our own modules can be told, by `_target_`; those of other modules are known when torch is there."""

_WHOLE = Range("a whole number, 1 or more", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 1)


def classifier_crops(group: Mapping[str, Any]) -> TagCropSettings:
    """How crops of the tag grid are shown, of group `classifier`; raises ConfigError."""
    return build(TagCropSettings, group["crops"], "classifier.crops")


def segmenter_crops(group: Mapping[str, Any]) -> RandomCropSettings:
    """Random crops of group `segmenter`; raises ConfigError."""
    return build(RandomCropSettings, group["crops"], "segmenter.crops")


def check_modules(classifier: Mapping[str, Any], segmenter: Mapping[str, Any]) -> None:
    """Check both groups as far as that is possible without torch.

    Raises:
        ConfigError: with the full key: something is missing, an unknown key, or a value out of its range.
    """
    for place, group in (("classifier", classifier), ("segmenter", segmenter)):
        _check_group(place, group)
    check_value("classifier.epochs", classifier.get("epochs", 0), _WHOLE)
    classifier_crops(classifier)
    segmenter_crops(segmenter)


def _check_group(place: str, group: Mapping[str, Any]) -> None:
    known = KEYS.get(str(group.get(TARGET)))
    for key in group:
        if known is not None and key not in known:
            raise ConfigError(f"no such key; {nearest(key, known)}", key=f"{place}.{key}")
    for key in ("network", "optimizer", "crops"):
        if not is_node(group.get(key)):
            raise ConfigError(
                f"expected an object, a mapping with {TARGET}", key=f"{place}.{key}", found=group.get(key)
            )
    losses = group.get("losses")
    if not isinstance(losses, Mapping):
        raise ConfigError("expected named terms", key=f"{place}.losses", found=losses)
    for name, term in losses.items():
        if term is not None and not is_node(term):
            raise ConfigError(
                f"expected a term, a mapping with {TARGET}, or null", key=f"{place}.losses.{name}", found=term
            )
        _check_numbers(f"{place}.losses.{name}", term or {}, {"weight": at_least(0)})
    _check_numbers(f"{place}.optimizer", group["optimizer"], {"lr": above(0), "weight_decay": at_least(0)})
    _check_numbers(place, group, {"encoder_lr_factor": at_least(0)})


def _check_numbers(place: str, node: Mapping[str, Any], ranges: Mapping[str, Range]) -> None:
    for key, valid in ranges.items():
        check_value(f"{place}.{key}", node.get(key), valid)
