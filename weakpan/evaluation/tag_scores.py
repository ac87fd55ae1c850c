"""How well the crop classifier finds the tags of crops that it was not trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog


class TagScores:
    """Collects logits and tags of crops."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.logits: list[npt.NDArray[np.float32]] = []
        self.tags: list[npt.NDArray[np.bool_]] = []

    def add(self, logits: npt.NDArray[np.float32], tags: npt.NDArray[np.bool_]) -> None:
        """Add the crops of an image: (T, C) logits and (T, C) tags."""
        self.logits.append(logits)
        self.tags.append(tags)

    def merge(self, other: TagScores) -> None:
        """Add what another one collected."""
        self.logits += other.logits
        self.tags += other.tags

    def average_precision(self) -> dict[str, float | None]:
        """Average precision of each class by its name, 0..1; None for one without any tag."""
        if not self.logits:
            return dict.fromkeys(self.catalog.names)
        logits, tags = np.concatenate(self.logits), np.concatenate(self.tags)
        return {
            name: round(average_precision(logits[:, index], tags[:, index]), 6) if tags[:, index].any() else None
            for index, name in enumerate(self.catalog.names)
        }


def average_precision(scores: npt.NDArray[np.float32], positive: npt.NDArray[np.bool_]) -> float:
    """Mean, over the positive ones, of the precision among all that score at least as high; 0..1.

    Args:
        scores: (N,) of any scale; ties count together.
        positive: (N,) which are to be found; at least one.
    """
    order = np.argsort(-scores, kind="stable")
    # Of equal scores the last one sees all of them.
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(positive[order])[last]
    precision = hits / (last + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / positive.sum())
