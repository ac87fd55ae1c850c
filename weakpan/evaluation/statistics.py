"""Ratios of counts that may be empty: a class that occurs nowhere has no score and is left out of averages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from weakpan.basics.errors import DataError


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Element-wise quotient of two arrays of one shape; nan where the denominator is 0."""
    quotient = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def mean_defined(values: npt.NDArray[np.float64]) -> float:
    """Mean of the values that are not nan; nan if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are not None; None if there are none."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


@dataclass(frozen=True)
class Scores:
    """Scores of a set of images; nan where nothing can be said.

    Attributes:
        images: number of images.
        means: by name.
        columns: by name, (C,) of the same or other scores, by train id.
        class_names: of the C classes.
    """

    images: int
    means: Mapping[str, float]
    columns: Mapping[str, npt.NDArray[np.float64]]
    class_names: Iterable[str]

    @property
    def per_class(self) -> dict[str, dict[str, float]]:
        """Scores of the classes, by class name and name of the score."""
        return {n: {key: float(v[k]) for key, v in self.columns.items()} for k, n in enumerate(self.class_names)}

    def as_dict(self) -> dict[str, Any]:
        """`images`, the means and `per_class` as JSON can hold them: None for nan."""
        rows = {name: _without_nan(row) for name, row in self.per_class.items()}
        return {"images": self.images, **_without_nan(self.means), "per_class": rows}


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else float(value) for key, value in values.items()}


Statistics = TypeVar("Statistics", bound=tuple[npt.NDArray[Any] | tuple[npt.NDArray[Any], ...], ...])


class PerImage(Generic[Statistics]):
    """A table from image ids to tuples of small arrays, and of such tuples."""

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


def _content(statistics: tuple[Any, ...]) -> tuple[bytes, ...]:
    parts = ((part,) if isinstance(part, np.ndarray) else part for part in statistics)
    return tuple(values.tobytes() for part in parts for values in part)
