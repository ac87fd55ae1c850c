"""The record of a stage in a folder: the settings that its results stand for, and the seal that all of them are there.

`settings.json` is written when the first result is, `manifest.json` last:

    {"format": "weakpan-stage", "version": 1, "stage": "masks", "settings": {"masks.fusion.gap": 1.0, ...},
     "inputs": {"weights": "crc32 ..."},           settings.json ends here
     "ids": [ID, ...], "crc32": {ID: [of each of its files], ...}, "summary": {...}}

Settings are what people choose: results of other ones are refused. Inputs are what earlier stages of the same run have
made: results of other ones are removed and made anew.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weakpan.basics.errors import DataError, RunError
from weakpan.storage.map_store import (
    read_manifest,
    read_settings,
    refuse_changed_settings,
    write_manifest,
    write_manifest_once,
)

FORMAT = "weakpan-stage"

Files = Callable[[str], Sequence[Path]]
"""The files of an image, in an order that stays."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageRecord:
    """Settings and seal of one stage; small, so that it travels to workers.

    Attributes:
        stage: its name.
        settings_path: file of the settings.
        manifest_path: file of the seal.
        settings: flat, whatever would make other results.
        inputs: checksums of what earlier stages of the same run have made.
    """

    stage: str
    settings_path: Path
    manifest_path: Path
    settings: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def _head(self) -> dict[str, Any]:
        return {"format": FORMAT, "stage": self.stage, "settings": dict(self.settings), "inputs": dict(self.inputs)}

    def refuse_others(self) -> None:
        """Raise RunError, naming them, where results in the folder were made with other settings."""
        if self.settings_path.is_file():
            refuse_changed_settings(self.settings_path, read_settings(self.settings_path), self.settings)

    def forget_other_inputs(self, ids: Iterable[str], part: Iterable[str], files: Files) -> None:
        """Remove results that were made from other inputs, and the record of them.

        Where there are inputs, results without a record are removed, too, those of the `part` of the images that this
        job makes. Settings do not say it all: a network that was removed and trained again with other ranks or on
        another machine has other weights.
        """
        if not self.settings_path.is_file():
            # Of the part alone: another job may have begun with the others by now.
            _remove(part if self.inputs else (), files)
            return
        if read_manifest(self.settings_path).get("inputs", {}) == dict(self.inputs):
            return
        log.warning("%s: results of other weights are made anew", self.settings_path.parent)
        # The record goes first and last comes what it speaks of: an end in between leaves files without a record,
        # which are made anew.
        self.manifest_path.unlink(missing_ok=True)
        _remove(ids, files)
        self.settings_path.unlink(missing_ok=True)

    def claim(self) -> bool:
        """Keep the settings; called when a result is made and before it is written.

        An attempt that makes nothing leaves no settings behind, so that the next one may have others. Of processes that
        started together, with other settings each, the first to have a result makes its own those of the folder.

        Returns:
            Whether this call has written them: they are of the first result.

        Raises:
            RunError: results of other settings came first.
        """
        self.refuse_others()
        written = write_manifest_once(self.settings_path, self._head)
        try:
            # Another process may have written in between.
            self.refuse_others()
        except RunError:
            if written:
                self.settings_path.unlink(missing_ok=True)
            raise
        return written

    def is_sealed(self) -> bool:
        """Whether everything is there."""
        return self.manifest_path.is_file()

    def seal(self, ids: Sequence[str], files: Files, summary: Mapping[str, Any]) -> None:
        """Declare the results complete, with figures of the stage; raises RunError if a file is missing."""
        checksums = {image_id: [_checksum(path) for path in files(image_id)] for image_id in ids}
        absent = [image_id for image_id, sums in checksums.items() if None in sums]
        if absent:
            raise RunError(
                f"no {self.stage} of {absent[0]} ({len(absent)} are missing)",
                path=self.manifest_path.parent,
                remedy="start the same command again",
            )
        self.claim()
        write_manifest(
            self.manifest_path, {**self._head, "ids": list(ids), "crc32": checksums, "summary": dict(summary)}
        )

    def summary(self) -> dict[str, Any]:
        """Figures of a sealed stage; raises DataError for a damaged manifest."""
        return dict(read_manifest(self.manifest_path).get("summary", {}))

    def results_digest(self) -> str | None:
        """Checksum of all files of a sealed stage; None for one that is not sealed. Raises DataError."""
        if not self.is_sealed():
            return None
        text = json.dumps(read_manifest(self.manifest_path).get("crc32"), sort_keys=True)
        return f"crc32 {zlib.crc32(text.encode()):08x}"

    def verify(self, ids: Iterable[str], files: Files, remedy: str | None = None) -> None:
        """Hold the files of some images against the manifest, before anything is made from them.

        Without a remedy the message says that the command at hand makes a file again.

        Raises:
            DataError: an image that the manifest lacks, or a file that is missing or was changed since the folder was
                sealed; the message names it.
        """
        checksums = read_manifest(self.manifest_path).get("crc32", {})
        remedy = remedy or f"delete it and {self.manifest_path}, and the same command makes it again"
        for image_id in ids:
            known = checksums.get(image_id)
            if known is None:
                raise DataError(f"no {self.stage} of image {image_id} in it", path=self.manifest_path, remedy=remedy)
            for path, expected in zip(files(image_id), known, strict=False):
                if _checksum(path) != expected:
                    raise DataError("missing, or changed since it was sealed", path=path, remedy=remedy)


def _remove(ids: Iterable[str], files: Files) -> None:
    for image_id in ids:
        for path in files(image_id):
            path.unlink(missing_ok=True)


def _checksum(path: Path) -> int | None:
    """CRC-32 of the bytes of a file, None where it is not there."""
    try:
        return zlib.crc32(path.read_bytes())
    except FileNotFoundError:
        return None
