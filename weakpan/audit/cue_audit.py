"""What the audits of masks and seeds share: scores of what the stages made against ground truth.

Ground truth is read after the maps are written, from files, and nothing that is made depends on it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from weakpan.audit.scored_images import ScoredImages
from weakpan.basics.errors import DataError
from weakpan.storage.files import write_text_atomically
from weakpan.storage.records import JsonRecords
from weakpan.tasks.stores import Maps

WORST = 10
"""So many boxes and images are listed, and at most so many are shown."""


@dataclass(frozen=True)
class CueAudit(ABC):
    """Scores the maps of one image, and puts the scores of all together; shared over processes.

    Attributes:
        stage: that makes the maps.
        format: of its files.
        real: labels to score against.
        maps: that the stage has written.
        folder: `OUT/audit`.
        pictures: number of boxes and images that are shown, up to `WORST`.
    """

    stage: ClassVar[str]
    format: ClassVar[str]

    real: ScoredImages
    maps: Maps
    folder: Path
    pictures: int

    @property
    def scores(self) -> JsonRecords:
        """The scores of each image."""
        return JsonRecords(self.folder / self.stage, self.format, self.stage)

    @property
    def listed(self) -> Path:
        """File of the figures of all images."""
        return self.folder / f"{self.stage}.json"

    @abstractmethod
    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there, by its presence alone."""

    def is_done(self, image_id: str) -> bool:
        """Whether the scores are there, whole, and of what the stage made and the ground truth as they are."""
        return self.missing(image_id) is None and self.scores.says(image_id, self._scored(image_id))

    def __call__(self, image_id: str) -> Counter[str] | None:
        """Score the map of an image and write the scores, unless that is done.

        Raises:
            DataError: ground truth or what the stage made is missing or damaged, or they do not belong together.
        """
        if self.is_done(image_id):
            return None
        path = self.missing(image_id)
        if path is not None:
            raise DataError(f"image {image_id}: its {self.stage} cannot be scored without {path}")
        scored, scores = self._scored(image_id), self._score(image_id)
        self.scores.write(image_id, {**scored, **scores})
        return Counter(images=1)

    @abstractmethod
    def join(self, ids: Sequence[str]) -> None:
        """Write tables and pictures of the whole set, print the table; raises DataError for damaged scores."""

    @abstractmethod
    def _scored(self, image_id: str) -> dict[str, Any]:
        """What the scores of an image are of."""

    @abstractmethod
    def _score(self, image_id: str) -> dict[str, Any]:
        """The scores of an image."""

    def _damaged(self, image_id: str, error: Exception) -> DataError:
        what = f"{type(error).__name__}: {error}"
        remedy = f"delete it and run stage={self.stage} again"
        return DataError(f"{self.scores.path(image_id)}: damaged ({what}); {remedy}")

    def _write_figures(self, content: Mapping[str, Any]) -> None:
        head = {"format": self.format, "version": 1}
        write_text_atomically(self.listed, json.dumps({**head, **content}, indent=1, allow_nan=False) + "\n")


def refuse_missing_labels(audit: CueAudit, ids: Sequence[str]) -> None:
    """Raise DataError, before any work starts, for the first image without ground truth to score against."""
    missing = [(image_id, path) for image_id in ids if (path := audit.missing(image_id)) is not None]
    if missing:
        image_id, path = missing[0]
        raise DataError(
            f"image {image_id}: audit=true scores against ground truth, and there is none ({len(missing)} of "
            f"{len(ids)} images lack theirs)",
            path=path,
            remedy="add it, take the image out of data.train_list, leave such images out of the audit with "
            "on_error=skip, or leave audit=true out",
        )
