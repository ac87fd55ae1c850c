"""A folder of 8-bit maps, `ID.png` of each image; and the manifests of stages, whose settings are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired

import numpy as np
from pydantic import with_config
from typing_extensions import TypedDict

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.errors import DataError, RunError
from weakpan.storage.files import write_text_atomically, write_text_once
from weakpan.storage.images import read_map, write_png
from weakpan.storage.json_files import STRICT, read_json
from weakpan.storage.layout import checked_id

VERSION = 1
MOST_NAMED = 3
"""Settings that a refusal names."""


class MapStore:
    """Reads and writes the maps of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, image_id: str) -> Path:
        """File of one image; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}.png"

    def read(self, image_id: str) -> SemanticMap:
        """(H, W) uint8; raises DataError if the file is missing, damaged or of another depth."""
        values = read_map(self.path(image_id))
        if values.dtype != np.uint8:
            raise DataError(f"{self.path(image_id)}: expected 8 bits, found {values.dtype}; make the maps again")
        return values.astype(np.uint8, copy=False)

    def write(self, image_id: str, values: SemanticMap) -> None:
        """Write one map, atomically."""
        write_png(self.path(image_id), values)


def write_manifest(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest, atomically and after everything that it speaks of."""
    write_text_atomically(path, _manifest_text(content))


def write_manifest_once(path: Path, content: Mapping[str, Any]) -> bool:
    """Write a manifest unless it is there; of several processes one writes, and this says whether it was this one."""
    return write_text_once(path, _manifest_text(content))


def _manifest_text(content: Mapping[str, Any]) -> str:
    return json.dumps({"version": VERSION, **content}, indent=1, sort_keys=True) + "\n"


@with_config({**STRICT, "extra": "allow"})
class Manifest(TypedDict):
    """What all manifests and records of settings hold; each has keys of its own beside them."""

    version: Literal[1]
    format: NotRequired[str]
    ids: NotRequired[list[str]]
    settings: NotRequired[dict[str, Any]]
    inputs: NotRequired[dict[str, str]]
    crc32: NotRequired[dict[str, Any]]
    summary: NotRequired[dict[str, Any]]


def read_manifest(path: Path, remedy: str = "delete its folder to make the stage again") -> dict[str, Any]:
    """Read a manifest; raises DataError, with a remedy, if it is missing, damaged or of another version."""
    return dict(read_json(path, Manifest, remedy))


def read_settings(path: Path) -> dict[str, Any]:
    """The `settings` of a manifest; raises DataError as `read_manifest` does, and for one without them."""
    settings = read_manifest(path, "restore it from a copy, or use a new folder").get("settings")
    if settings is None:
        raise DataError(
            "no settings in it, so it is of another version of weakpan", path=path, remedy="use a new folder"
        )
    return dict(settings)


def refuse_changed_settings(path: Path, sealed: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Compare the settings of a sealed stage with those of this run.

    Raises:
        RunError: they differ; the message names the first keys with both values, `null` for none.
    """
    plain = json.loads(json.dumps(dict(settings)))
    # Null is what a key stands for before somebody sets it.
    changed = {key for key in sealed.keys() | plain.keys() if sealed.get(key) != plain.get(key)}
    if not changed:
        return
    # Of an object that is another one, its settings tell nothing more; what both have tells most.
    others = tuple(key.removesuffix("_target_") for key in changed if key.endswith("._target_"))
    telling = [key for key in changed if key.endswith("._target_") or not key.startswith(others)]
    telling.sort(key=lambda key: (key not in sealed or key not in plain, key))
    named = [f"{key}: {_value(sealed, key)} then, {_value(plain, key)} now" for key in telling[:MOST_NAMED]]
    more = f"; {len(telling) - MOST_NAMED} more" if len(telling) > MOST_NAMED else ""
    remedy = "use a new folder, or give the settings that it was made with"
    if any(key not in sealed or key not in plain for key in telling[:MOST_NAMED]):
        remedy += "; a setting that is absent is not used there, or not known to that version of weakpan"
    raise RunError(f"{path.parent} was made with other settings ({'; '.join(named)}{more}); {remedy}")


def _value(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "absent"
    return "null" if settings[key] is None else repr(settings[key])
