"""The pseudo labels of one round on disk.

A folder with, for each image, `ID_semantic.png` (8 bits: train ids, 255 ignored) and `ID_instances.png` (16 bits: 0 no
instance, 65535 unlabelled), and `manifest.json`, which is written last:

    {"format": "weakpan-pseudo-labels", "version": 1, "ids": ["aachen_000000_000019", ...],
     "crc32": {"aachen_000000_000019": [SEMANTIC, INSTANCES], ...},    of the files' bytes
     "settings_hash": "...", "checkpoint": "..." or null, ...}         and whatever else the writer adds

A store with a manifest is sealed: complete, and no longer changed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weakpan.basics.errors import DataError, RunError
from weakpan.labels.encode import from_png16, to_png16
from weakpan.labels.pipeline import PseudoLabels
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import read_map, write_png
from weakpan.storage.layout import checked_id

FORMAT = "weakpan-pseudo-labels"
VERSION = 1
REQUIRED = ("ids", "settings_hash", "checkpoint")


class LabelStore:
    """Reads and writes the folder described at the top of this module; holds no state besides its path.

    Several processes may write different images at the same time; one of them seals.

    Args:
        folder: of one round; made by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest_path = folder / "manifest.json"

    def semantic_path(self, image_id: str) -> Path:
        """File of an image's semantic map; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_semantic.png"

    def instances_path(self, image_id: str) -> Path:
        """File of an image's instance map; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_instances.png"

    def has(self, image_id: str) -> bool:
        """Whether both files of an image are there, sealed or not."""
        return self.semantic_path(image_id).is_file() and self.instances_path(image_id).is_file()

    def read(self, image_id: str) -> PseudoLabels:
        """Read the labels of one image, sealed or not.

        Raises:
            DataError: a file that is missing, truncated or not of this format, or two maps of different size.
        """
        paths = self.semantic_path(image_id), self.instances_path(image_id)
        semantic, instances = (read_map(path) for path in paths)
        for path, values, dtype in ((paths[0], semantic, np.uint8), (paths[1], instances, np.uint16)):
            if values.dtype != dtype:
                raise DataError(f"{path}: expected a PNG of {np.dtype(dtype)}, found {values.dtype}; make it again")
        if semantic.shape != instances.shape:
            raise DataError(
                f"{paths[1]}: size {instances.shape} differs from {semantic.shape} of {paths[0].name}; make both again"
            )
        return PseudoLabels(semantic.astype(np.uint8), from_png16(instances.astype(np.uint16, copy=False)))

    def write(self, image_id: str, labels: PseudoLabels) -> None:
        """Write the labels of one image; `has` is True only when both files are whole.

        Raises:
            DataError: an id that is no plain file name, or an instance id above 65534.
            RunError: the store is sealed.
        """
        self._refuse_if_sealed()
        semantic_path, encoded = self.semantic_path(image_id), to_png16(labels.instances)
        write_png(self.instances_path(image_id), encoded)
        write_png(semantic_path, labels.semantic)

    def is_sealed(self) -> bool:
        """Whether the manifest is there."""
        return self.manifest_path.is_file()

    def seal(self, manifest: Mapping[str, Any]) -> None:
        """Declare the store complete: write its manifest, atomically, after everything else.

        Args:
            manifest: must hold `ids` (of all images), `settings_hash` and `checkpoint` (None in round 0); more entries
                are kept as they are. `format`, `version` and `crc32` are added.

        Raises:
            DataError: a required entry or a file of an image is missing, or an id occurs twice.
            RunError: the store is sealed already.
        """
        self._refuse_if_sealed()
        missing = [key for key in REQUIRED if key not in manifest]
        if missing:
            raise DataError(f"{self.manifest_path}: the manifest lacks {', '.join(missing)}")
        ids = [str(image_id) for image_id in manifest["ids"]]
        if len(set(ids)) != len(ids):
            raise DataError(f"{self.manifest_path}: image {_first_repeat(ids)} occurs twice in ids")
        self._refuse_missing(ids)
        content = {
            **manifest,
            "format": FORMAT,
            "version": VERSION,
            "ids": ids,
            "crc32": {image_id: self._checksums(image_id) for image_id in ids},
        }
        write_text_atomically(self.manifest_path, json.dumps(content, indent=1) + "\n")

    def manifest(self) -> dict[str, Any]:
        """Read the manifest; raises DataError when the store is not sealed or the manifest is not of this format."""
        try:
            content = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{self.folder}: these labels are not sealed (no manifest.json); finish the run") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self.manifest_path}: not readable ({error}); make the labels again") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f'{self.manifest_path}: not a manifest of labels ("format" must be "{FORMAT}")')
        if content.get("version") != VERSION:
            raise DataError(
                f"{self.manifest_path}: version {content.get('version')!r}, this weakpan reads version {VERSION}"
            )
        missing = [key for key in (*REQUIRED, "crc32") if key not in content]
        if missing:
            raise DataError(f"{self.manifest_path}: lacks {', '.join(missing)}; make the labels again")
        return content

    def verify(self, ids: Iterable[str]) -> None:
        """Hold a sealed store against the images that it is to serve.

        Raises:
            DataError: not sealed; an image that the manifest or the folder lacks; or a file that is unreadable or was
                changed since the store was sealed. The message names the image or file.
        """
        manifest, wanted = self.manifest(), list(ids)
        known = set(manifest["ids"])
        absent = [image_id for image_id in wanted if image_id not in known]
        if absent:
            raise DataError(
                f"{self.manifest_path}: no labels for {', '.join(absent[:8])} ({len(absent)} in all); "
                "make the labels again for these images"
            )
        self._refuse_missing(wanted)
        for image_id in wanted:
            self.read(image_id)
            if self._checksums(image_id) != manifest["crc32"].get(image_id):
                raise DataError(
                    f"{self.semantic_path(image_id)}: this file or its instance map changed after the labels were "
                    f"sealed; {self._again()}"
                )

    def _checksums(self, image_id: str) -> list[int]:
        return [zlib.crc32(p.read_bytes()) for p in (self.semantic_path(image_id), self.instances_path(image_id))]

    def _refuse_missing(self, ids: Iterable[str]) -> None:
        absent = [image_id for image_id in ids if not self.has(image_id)]
        if absent:
            raise DataError(
                f"{self.folder}: label files of {', '.join(absent[:8])} are missing ({len(absent)} images in all); "
                f"{self._again()}"
            )

    def _again(self) -> str:
        return f"to make the labels again, delete {self.folder} and start the same command"

    def _refuse_if_sealed(self) -> None:
        if self.is_sealed():
            raise RunError(
                f"{self.folder}: these labels are sealed; delete the folder to make them again, or use another run"
            )


def _first_repeat(ids: list[str]) -> str:
    return next(image_id for image_id in ids if ids.count(image_id) > 1)
