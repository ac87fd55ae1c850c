"""Small segments of a region, their common borders, and the order in which they melt together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from weakpan.basics.arrays import FloatMap

# Merging takes time with the cube of the number of segments; photographs stay below this at the first reach.
_MOST_SEGMENTS = 256
_REACHES = (5, 9, 17, 33)


@dataclass(frozen=True)
class Partition:
    """A division of a region into n segments with e common borders.

    Attributes:
        labels: (h, w) int32, 0..n-1, every value present.
        borders: (e, 2), the two segments of each border, the lower one first; every touching pair once.
        length: (e,), pixel steps across the border.
        strength: (e,), sum of the contour strength over those steps.
    """

    labels: npt.NDArray[np.int32]
    borders: npt.NDArray[np.int64]
    length: npt.NDArray[np.float32]
    strength: npt.NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of segments n."""
        return int(self.labels.max()) + 1

    @property
    def extents(self) -> npt.NDArray[np.int64]:
        """(n, 4) first row, row after the last, first column, column after the last of every segment."""
        return extents_of(self.labels + 1, self.count)

    def totals(self, values: FloatMap) -> npt.NDArray[np.float32]:
        """(n,) sums of an (h, w) map over the segments."""
        sums = np.bincount(self.labels.ravel(), values.ravel(), self.count)
        return sums.astype(np.float32)


def extents_of(ids: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """(count, 4) first row, row after the last, first column, column after the last of the ids 1..count of a map.

    Args:
        ids: (H, W), from 0.
        count: of the ids; zeros for those without a pixel.
    """
    found = ndimage.find_objects(ids, max_label=count)
    return np.array([(0, 0, 0, 0) if s is None else (s[0].start, s[0].stop, s[1].start, s[1].stop) for s in found])


def watershed_partition(contours: FloatMap) -> Partition:
    """Divide a region along the ridges of its contour map (h, w)."""
    # Each minimum starts a segment; a flat region is a single one. Noise has so many that a wider view is taken.
    for reach in _REACHES:
        minima = (contours <= cv2.erode(contours, np.ones((reach, reach), np.uint8))).astype(np.uint8)
        count, markers = cv2.connectedComponents(minima)
        if count <= _MOST_SEGMENTS:
            break
    labels = watershed(contours, markers).astype(np.int32) - 1  # type: ignore[no-untyped-call]
    count = int(labels.max()) + 1
    first = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()]).astype(np.int64)
    second = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
    step = np.concatenate(
        [np.maximum(contours[:, :-1], contours[:, 1:]).ravel(), np.maximum(contours[:-1], contours[1:]).ravel()]
    )
    crosses = first != second
    pairs = np.minimum(first, second)[crosses] * count + np.maximum(first, second)[crosses]
    found, position = np.unique(pairs, return_inverse=True)
    return Partition(
        labels,
        borders=np.stack(np.divmod(found, count), axis=1),
        length=np.bincount(position, minlength=len(found)).astype(np.float32),
        strength=np.bincount(position, step[crosses], len(found)).astype(np.float32),
    )


def merge_tree(partition: Partition) -> npt.NDArray[np.bool_]:
    """Melt the two segments with the weakest common border (mean strength) together until one is left.

    Returns:
        (m, n): the n segments themselves, then every union in the order of its making; True where the row's union
        holds the column's segment. m = 2 n - 1 for a connected region.
    """
    count = partition.count
    length, strength = np.zeros((2, count, count), np.float32)
    low, high = partition.borders.T
    length[low, high] = length[high, low] = partition.length
    strength[low, high] = strength[high, low] = partition.strength
    cost = np.where(length > 0, strength / np.maximum(length, 1), np.inf)
    members = np.eye(count, dtype=np.bool_)
    unions = [members.copy()]
    for _ in range(count - 1):
        keep, gone = divmod(int(cost.argmin()), count)
        if not np.isfinite(cost[keep, gone]):
            break
        for table in (length, strength):
            table[keep] += table[gone]
            table[keep, [keep, gone]] = 0
            table[:, keep] = table[keep]
            table[gone] = table[:, gone] = 0
        cost[gone] = cost[:, gone] = np.inf
        cost[keep] = np.where(length[keep] > 0, strength[keep] / np.maximum(length[keep], 1), np.inf)
        cost[:, keep] = cost[keep]
        members[keep] |= members[gone]
        unions.append(members[keep : keep + 1].copy())
    return np.concatenate(unions)
