"""Statistics kept by image, so that the order of adding and the split over processes cannot change a score."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy.typing as npt

from weakpan.errors import DataError

Statistics = TypeVar("Statistics", bound=tuple[npt.NDArray[Any], ...])


class PerImage(Generic[Statistics]):
    """A table from image ids to tuples of small arrays."""

    def __init__(self) -> None:
        self._of: dict[str, Statistics] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(self, image_id: str, statistics: Statistics) -> None:
        """Enter an image; raises DataError if it is in the table already."""
        if image_id in self._of:
            raise DataError(f"image {image_id} is scored twice; the ids of the images of a split must be unique")
        self._of[image_id] = statistics

    def merge(self, other: PerImage[Statistics]) -> None:
        """Take over the images of another table; an image in both is kept once.

        Processes that share out a split pad it with repeated images. Their statistics may differ in the last bits, so
        the one to keep is chosen by content and not by the order of merging.
        """
        for image_id, statistics in other._of.items():
            known = self._of.get(image_id, statistics)
            self._of[image_id] = min(known, statistics, key=_content)

    def ordered(self) -> list[Statistics]:
        """The statistics of all images in the order of their ids, so that sums of floats always come out the same."""
        return [self._of[image_id] for image_id in sorted(self._of)]


def _content(statistics: tuple[npt.NDArray[Any], ...]) -> tuple[bytes, ...]:
    return tuple(values.tobytes() for values in statistics)
