"""Tasks to share: small, and in a file of their own because worker processes import it."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.errors import DataError, RunError


@dataclass(frozen=True)
class Touch:
    """Writes a file that says which process wrote it; ids that begin with `bad` cannot be done.

    Attributes:
        folder: of the files.
        seconds: that an image takes.
    """

    folder: Path
    seconds: float = 0.0

    def __call__(self, image_id: str) -> Counter[str] | None:
        if (self.folder / image_id).is_file():
            return None
        time.sleep(self.seconds)
        if image_id.startswith("bad"):
            raise DataError(f"image {image_id}: damaged")
        if image_id.startswith("locked"):
            raise PermissionError(errno.EACCES, "not allowed", f"{image_id}.png")
        (self.folder / image_id).write_text(str(os.getpid()))
        return Counter({"images": 1, f"like {image_id[0]}": 2})


@dataclass(frozen=True)
class FullDisk(Touch):
    """Finds no room for one image, or meets another fault; readers wrap those.

    Attributes:
        code: number of the fault.
        wrapped: raise an error of a reader that comes from it.
    """

    code: int = errno.ENOSPC
    wrapped: bool = False

    def __call__(self, image_id: str) -> Counter[str] | None:
        if image_id == "a5":
            fault = OSError(self.code, os.strerror(self.code), None if self.wrapped else str(self.folder / image_id))
            if self.wrapped:
                raise DataError(f"{self.folder / image_id}: not readable ({fault})") from fault
            raise fault
        return super().__call__(image_id)


@dataclass(frozen=True)
class Claimed(Touch):
    """Finds its folder taken."""

    def __call__(self, image_id: str) -> Counter[str]:
        raise RunError(f"{self.folder}: other settings came first than those of {image_id}")


@dataclass(frozen=True)
class Dies(Touch):
    """Takes its process down with one image."""

    def __call__(self, image_id: str) -> Counter[str] | None:
        if image_id == "a5":
            os._exit(9)
        return super().__call__(image_id)


@dataclass(frozen=True)
class KeepsPid(Touch):
    """Says which process works, then works for ever."""

    def __call__(self, image_id: str) -> Counter[str]:
        super().__call__(image_id)
        time.sleep(600)
        return Counter()
