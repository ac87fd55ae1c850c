"""What the results of a stage depend on, and the refusal to mix results of different settings in one folder."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.map_store import read_manifest, refuse_changed_settings


def refuse_other_settings(config: MakeGtConfig) -> None:
    """Compare with the settings that results in the folder were made with, if there are any.

    Raises:
        RunError: they differ; the message names them.
    """
    settings = stage_settings(config)
    path = settings_path(config.out, config.stage)
    if path.is_file():
        refuse_changed_settings(path, read_manifest(path)["settings"], settings)
    # Boxes and tags end in one file, so that they must be of the same images; only tags depend on the crop grid.
    other = {Stage.boxes: Stage.tags, Stage.tags: Stage.boxes}.get(config.stage)
    if other is not None and (path := settings_path(config.out, other)).is_file():
        refuse_changed_settings(path, _of_images(read_manifest(path)["settings"]), _of_images(settings))


def _of_images(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k.startswith("data.") and not k.startswith("data.crop.")}


def settings_path(out: str, stage: Stage) -> Path:
    """File of the settings that the results of a stage were made with."""
    return Path(out) / f"{stage.value}.settings.json"


def stage_settings(config: MakeGtConfig) -> dict[str, Any]:
    """Flat settings that would make other results of the stage: those that it uses, paths in full."""
    data = {k: v for k, v in asdict(config.data).items() if k not in ("list", "name", "toy")}
    groups: dict[str, Any] = {"data": {**data, "root": _in_full(config.data.root)}, "source": _sources(config)}
    if config.stage is Stage.masks:
        masks = {k: v for k, v in asdict(config.masks).items() if k != "network"}
        groups["masks"] = {**masks, "path": _in_full(config.masks.path)}
    if config.stage is Stage.mask_net:
        groups["masks"] = {"network": {k: v for k, v in asdict(config.masks.network).items() if k != "loaders"}}
    if config.stage is Stage.cams:
        groups["cam"] = asdict(config.cam)
    if config.stage is Stage.labels:
        groups |= {"labels": asdict(config.labels), "round": config.round}
    return dict(_flat(groups))


def _sources(config: MakeGtConfig) -> dict[str, Any]:
    """What the stage reads from where."""
    source, stage = config.source, config.stage
    used: dict[str, Any] = {}
    if stage is not Stage.tags:
        used["boxes"] = source.boxes
    if stage in (Stage.tags, Stage.cams) or (stage is Stage.labels and "tag_check" in config.labels.steps):
        used["tags"] = source.tags
    files = {kind.value for kind in used.values()}
    used |= {name: _in_full(getattr(source, name)) for name in ("coco", "annotations") if name in files}
    if "mat" in files:
        used["mat"] = source.mat
    if stage is Stage.labels:
        used["root"] = _in_full(source.root)
    if stage is Stage.cams:
        used["checkpoint"] = _in_full(source.checkpoint)
    return used


def _in_full(path: str | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value.value if isinstance(value, Enum) else value))
    return rows
