"""What the results of a stage depend on, and the refusal to mix results of different settings in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from weakpan.basics.errors import RunError
from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.config.objects import build
from weakpan.seeds.source import SeedSource
from weakpan.storage.claim import FolderClaim
from weakpan.storage.files import content_digest
from weakpan.storage.map_store import read_settings, refuse_changed_settings

FORMAT = "weakpan-make-gt"


@dataclass(frozen=True)
class Claim(FolderClaim):
    """What a folder stands for from its first result on: the settings of the stage, in `OUT/STAGE.settings.json`.

    Attributes:
        out: the folder.
        stage: that writes there.
        settings: of the stage, flat.
        crop: height and width of the crop grid, where results depend on it.
    """

    out: str
    stage: Stage
    settings: Mapping[str, Any]
    crop: Mapping[str, int] | None = None

    @property
    def path(self) -> Path:
        """File of the stage's settings."""
        return settings_path(self.out, self.stage)

    @property
    def head(self) -> Mapping[str, Any]:
        """Format and crop grid."""
        return {"format": FORMAT, "crop": self.crop}

    def refuse_others(self) -> None:
        """Compare with the settings of earlier results, and of the stage that goes with this one; raises RunError."""
        super().refuse_others()
        # Boxes and tags end in one file, so that they must be of the same images; only tags depend on the crop grid.
        other = {Stage.boxes: Stage.tags, Stage.tags: Stage.boxes}.get(self.stage)
        if other is not None and (path := settings_path(self.out, other)).is_file():
            refuse_changed_settings(path, _of_images(read_settings(path)), _of_images(self.settings))

    def refuse_changed_files(self, config: MakeGtConfig) -> None:
        """Look once more at the files whose checksums are among the settings, before a stage is said to be done.

        Raises:
            ConfigError: weights that masks are made with are gone.
            RunError: their contents are others than when the stage began; the message names the keys.
        """
        now = stage_settings(config)
        changed = [f"{k}: {v!r} then, {now.get(k)!r} now" for k, v in self.settings.items() if now.get(k) != v]
        if changed:
            raise RunError(
                f"{self.out}: files changed while stage {self.stage.value} was running ({'; '.join(changed)}), so that "
                "its results may be of both; put back what was there, and make them again in a new folder"
            )


def _of_images(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k.startswith("data.") and not k.startswith("data.crop.")}


def settings_path(out: str, stage: Stage) -> Path:
    """File of the settings that the results of a stage were made with."""
    return Path(out) / f"{stage.value}.settings.json"


def stage_settings(config: MakeGtConfig) -> dict[str, Any]:
    """Flat settings that would make other results of the stage: those that it uses, paths in full.

    Raises:
        ConfigError: weights that masks are made with are not there.
    """
    data = {k: v for k, v in asdict(config.data).items() if k not in ("list", "name", "toy")}
    groups: dict[str, Any] = {"data": {**data, "root": _in_full(config.data.root)}, "source": _sources(config)}
    if config.stage is Stage.masks:
        masks = {k: v for k, v in asdict(config.masks).items() if k != "network"}
        dials = {**masks["dials"], "contours_file": _in_full(config.masks.dials.contours_file)}
        contents = {f"{key} content": digest for key, digest in config.masks.contents().items()}
        groups["masks"] = {**masks, "path": _in_full(config.masks.path), "dials": dials, **contents}
    if config.stage is Stage.mask_net:
        groups["masks"] = {"network": {k: v for k, v in asdict(config.masks.network).items() if k != "loaders"}}
    if config.stage is Stage.seeds:
        groups["seeds"] = _seeds(config)
    if config.stage is Stage.labels:
        groups |= {"labels": asdict(config.labels), "round": config.round}
    return dict(_flat(groups))


def _seeds(config: MakeGtConfig) -> dict[str, Any]:
    """What of the seed source makes other label maps: of kept heatmaps the rule alone."""
    if config.source.heatmaps is not None:
        return {"rule": config.seeds["rule"]}
    source = build(SeedSource, config.seeds, "seeds")
    contents = {f"{key} content": digest for key, digest in source.contents().items()}
    return {k: v for k, v in config.seeds.items() if k not in source.without_effect} | contents


def _sources(config: MakeGtConfig) -> dict[str, Any]:
    """What the stage reads from where."""
    source, stage = config.source, config.stage
    used: dict[str, Any] = {}
    if stage is not Stage.tags:
        used["boxes"] = source.boxes
    if stage in (Stage.tags, Stage.seeds) or (stage is Stage.labels and "tag_check" in config.labels.steps):
        used["tags"] = source.tags
    files = {kind.value for kind in used.values()}
    used |= {name: _in_full(getattr(source, name)) for name in ("coco", "annotations") if name in files}
    if "mat" in files:
        used["mat"] = source.mat
    if stage is Stage.labels:
        used["root"] = _in_full(source.root)
    if stage is Stage.seeds:
        used["checkpoint"] = _in_full(source.checkpoint)
        if source.checkpoint is not None and Path(source.checkpoint).is_file():
            used["checkpoint content"] = content_digest([Path(source.checkpoint)])
        if source.heatmaps is not None:
            used["heatmaps"] = _in_full(source.heatmaps)
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
