"""Segment proposals in MATLAB files as MCG writes them: unions of superpixels, one file an image.

Variables (Pont-Tuset et al., "Multiscale Combinatorial Grouping", TPAMI 2017; release of the code): `superpixels`,
(H, W) ids from 1; `labels`, a cell array whose k-th entry lists the superpixels of candidate k; `scores`, one number a
candidate. `bboxes`, which may be there, is not read: it can hold fewer rows than there are candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_file import read_cells, read_numbers


@dataclass(frozen=True)
class SegmentCandidates:
    """The c candidates of an image.

    Attributes:
        superpixels: (H, W) int32, ids from 1; every pixel has one.
        members: (m,) int32, the superpixels of all candidates, one candidate after another.
        starts: (c,) int64, where in `members` each candidate begins; each has one superpixel at least.
        scores: (c,) float64, any unit, higher is better.
    """

    superpixels: npt.NDArray[np.int32]
    members: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Number of candidates c."""
        return len(self.starts)

    def superpixels_of(self, candidate: int) -> npt.NDArray[np.int32]:
        """Ids of the superpixels of a candidate, counted from 0."""
        end = self.starts[candidate + 1] if candidate + 1 < len(self) else len(self.members)
        return self.members[self.starts[candidate] : end]


def read_candidates(path: Path, size: tuple[int, int]) -> SegmentCandidates:
    """Read the candidates of one image of a size (height, width).

    Raises:
        DataError: a missing or damaged file, a missing variable, superpixels of another size, ids that are no whole
            numbers from 1, a candidate without superpixels or with one that is not in the image, another number of
            scores than of candidates, or a score that is NaN.
    """
    superpixels = _superpixels(path, size)
    labels = read_cells(path, "labels")
    lengths = np.array([entry.size for entry in labels], np.int64)
    if labels and lengths.min() == 0:
        raise DataError(f"{path}: labels{{{int(lengths.argmin()) + 1}}} names no superpixel; write the file again")
    starts = np.cumsum(lengths) - lengths
    members = np.concatenate([entry.ravel() for entry in labels]) if labels else np.zeros(0, np.int32)
    there = np.bincount(superpixels.ravel()) > 0
    with np.errstate(invalid="ignore"):  # NaN and infinity become ids that are not there
        whole = members.astype(np.int64)
    unknown = (whole != members) | (whole < 1) | (whole >= len(there))
    unknown[~unknown] = ~there[whole[~unknown]]
    if unknown.any():
        first = int(unknown.argmax())
        number = int(np.searchsorted(starts, first, side="right"))
        raise DataError(
            f"{path}: labels{{{number}}} names superpixel {members[first]:g}, which does not exist; `superpixels` has "
            f"ids from {superpixels.min()} to {superpixels.max()}; take both variables from the same run of MCG"
        )
    return SegmentCandidates(superpixels, whole.astype(np.int32), starts, _scores(path, len(labels)))


def _superpixels(path: Path, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    ids = read_numbers(path, "superpixels")
    if ids.shape != size:
        raise DataError(
            f"{path}: superpixels is {' x '.join(map(str, ids.shape))}, its image has {size[0]} x {size[1]} (height x "
            "width); make the proposals at the size of the image"
        )
    low, high = ids.min(), ids.max()
    # More ids than pixels would only cost memory. A NaN fails both comparisons.
    if not (low >= 1 and high <= ids.size):
        raise DataError(f"{path}: superpixels holds values from {low:g} to {high:g}; expected ids from 1 to {ids.size}")
    whole: npt.NDArray[np.int32] = np.ascontiguousarray(ids.astype(np.int32))
    if ids.dtype.kind == "f" and (whole != ids).any():
        raise DataError(f"{path}: superpixels holds fractions; expected whole numbers, the ids of superpixels")
    return whole


def _scores(path: Path, count: int) -> npt.NDArray[np.float64]:
    scores = read_numbers(path, "scores").astype(np.float64).ravel()
    if len(scores) != count:
        raise DataError(f"{path}: {len(scores)} scores of {count} candidates in `labels`; expected one score each")
    if np.isnan(scores).any():
        raise DataError(f"{path}: scores holds NaN; expected one number a candidate, higher for a better one")
    return scores
