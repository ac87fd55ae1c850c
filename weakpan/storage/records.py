"""What a stage notes about each image: a small JSON file an image, versioned, whole or not there."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import with_config
from typing_extensions import TypedDict

from weakpan.basics.errors import DataError
from weakpan.storage.json_files import STRICT, read_json, write_json
from weakpan.storage.layout import checked_id


@with_config({**STRICT, "extra": "allow"})
class Record(TypedDict):
    """What the records of all kinds begin with."""

    format: str
    version: int
    id: str


Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True)
class JsonRecords:
    """Reads and writes the files of one folder; several processes may write different images at the same time.

    Attributes:
        folder: made by the first write.
        kind: of the records, stands in every file.
        stage: that makes them, for messages.
        version: of their keys.
    """

    folder: Path
    kind: str
    stage: str
    version: int = 1

    def path(self, image_id: str) -> Path:
        """File of an image; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}.json"

    def write(self, image_id: str, content: Mapping[str, Any]) -> None:
        """Write the record of an image, atomically."""
        head = {"format": self.kind, "version": self.version, "id": image_id}
        write_json(self.path(image_id), {**head, **content})

    @overload
    def read(self, image_id: str) -> dict[str, Any]: ...
    @overload
    def read(self, image_id: str, kind: type[Kind]) -> Kind: ...

    def read(self, image_id: str, kind: type[Any] = Record) -> Any:
        """The record of an image, with the keys of `kind`; DataError if it is missing, damaged or another one."""
        path, remedy = self.path(image_id), f"run stage={self.stage} again"
        content = read_json(path, kind, remedy)
        expected = {"format": self.kind, "version": self.version, "id": image_id}
        found = {key: content.get(key) for key in expected}
        if found != expected:
            raise DataError(f"begins with {found}, expected {expected}", path=path, remedy=remedy)
        return content

    def has(self, image_id: str) -> bool:
        """Whether the record of an image is there and whole."""
        return self.says(image_id, {})

    def says(self, image_id: str, content: Mapping[str, Any]) -> bool:
        """Whether the record of an image is there and whole and has these values."""
        try:
            found = self.read(image_id)
        except DataError:
            return False
        return all(found.get(key) == value for key, value in content.items())


def checksum(path: Path) -> int | None:
    """CRC-32 of the bytes of a file, or None if it is not there: tells whether a record speaks of this very file."""
    try:
        return zlib.crc32(path.read_bytes())
    except OSError:
        return None
