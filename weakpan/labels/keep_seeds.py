"""Label rule: a tag that new labels leave unsatisfied keeps its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.settings import at_least, between, setting
from weakpan.data.crops import Crop
from weakpan.labels.rule import SEEDS, TAGS, MapContext, MapRule


@dataclass(frozen=True)
class KeepSeeds(MapRule):
    """Brings back the seeds of tags that a prediction forgets.

    A network that has not learned a rare class yet must not take it out of the labels: no later round would learn it.

    Attributes:
        least_share: a tag whose class has fewer pixels in its crop than this share of its seeds there gets all of them
            back, 0..1.
        last_round: in which it applies.
    """

    least_share: float = setting(0.2, between(0, 1))
    last_round: int = setting(100, at_least(0))

    needs = frozenset({SEEDS, TAGS})
    color = (166, 86, 40)

    def applies_in(self, round_index: int) -> bool:
        """Not in round 0, which begins with the seeds."""
        return 0 < round_index <= self.last_round

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map, see `keep_seeds`."""
        assert context.seeds is not None
        return keep_seeds(semantic, context.seeds, context.crops, context.annotation.tags, self.least_share)


def keep_seeds(
    semantic: SemanticMap,
    seeds: SemanticMap,
    crops: Sequence[Crop],
    tags: Sequence[frozenset[int]],
    least_share: float,
) -> SemanticMap:
    """Give tags that have lost their class the pixels of their seeds.

    All tags are judged by the map as it was, so that their order does not matter.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        seeds: (H, W) uint8 train ids, 255 ignored.
        crops: of the crop grid.
        tags: for each crop the train ids that it contains.
        least_share: of the pixels of its seeds that a tag's class must have in the crop, 0..1.

    Returns:
        (H, W) uint8, a new map.

    Raises:
        ValueError: the number of crops and of tags differ.
    """
    kept = semantic.copy()
    for crop, tag in zip(crops, tags, strict=True):
        had, has = (_counts(labels[crop.slices]) for labels in (seeds, semantic))
        lost = [class_id for class_id in tag if has[class_id] < least_share * had[class_id]]
        if lost:
            part = seeds[crop.slices]
            cv2.copyTo(part, np.isin(part, lost).view(np.uint8), dst=kept[crop.slices])
    return kept


def _counts(labels: SemanticMap) -> list[float]:
    return list(cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel())
