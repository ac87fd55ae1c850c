"""The work of a stage on one image: what every task has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from weakpan.storage.stage_record import StageRecord


class ImageTask(Protocol):
    """Makes and writes the results of one image at a time; pickled and sent to workers, so free of torch."""

    def missing(self, image_id: str, /) -> Path | None:
        """A file that is needed and not there, by its presence alone."""
        ...

    def is_done(self, image_id: str, /) -> bool:
        """Whether the results of an image are there and whole."""
        ...

    def make(self, image_id: str, /) -> Any:
        """The results of an image, for `write`; raises WeakpanError for input that is missing or damaged."""
        ...

    def write(self, image_id: str, result: Any, /) -> Counter[str]:
        """Write what `make` made; counts of anything are summed up over all images."""
        ...

    def files(self, image_id: str, /) -> tuple[Path, ...]:
        """Files of an image that the seal of the stage speaks of."""
        ...


@dataclass(frozen=True)
class Recorded:
    """A task in the form that processes share: the settings are kept with its first result."""

    task: ImageTask
    record: StageRecord

    def __call__(self, image_id: str) -> Counter[str] | None:
        """Make the results of an image, unless they are there, keep the settings, write."""
        if self.task.is_done(image_id):
            return None
        result = self.task.make(image_id)
        self.record.claim()
        return self.task.write(image_id, result)
