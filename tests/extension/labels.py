"""Label rules outside the package: one on label maps and one on probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weakpan.basics.arrays import IGNORE, SemanticMap
from weakpan.basics.settings import above, between, setting
from weakpan.labels import MapContext, MapRule, ProbabilityContext, ProbabilityRule
from weakpan.labels.rule import SEEDS

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AgreeWithSeeds(MapRule):
    """Ignores classes that disagree with the seeds.

    Attributes:
        share: of the pixels of a class that must disagree, 0..1.
    """

    share: float = setting(0.0, between(0, 1))

    needs = frozenset({SEEDS})
    color = (255, 20, 147)

    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map."""
        assert context.seeds is not None
        differs, result = semantic != context.seeds, semantic.copy()
        for class_id in np.unique(semantic):
            of_class = semantic == class_id
            if differs[of_class].mean() >= self.share:
                result[of_class & differs] = IGNORE
        return result


@dataclass(frozen=True)
class Favour(ProbabilityRule):
    """Multiplies the probability of a class.

    Attributes:
        name: of the class.
        factor: above 0.
    """

    name: str
    factor: float = setting(2.0, above(0))

    color = (0, 206, 209)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The same tensor."""
        probabilities[context.catalog.train_id_named(self.name)] *= self.factor
        return probabilities / probabilities.sum(0).clamp_min(1e-12)
