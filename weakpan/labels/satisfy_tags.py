"""Label rule: probabilities are changed as little as it takes to satisfy the tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weakpan.basics.settings import Range, at_least, setting
from weakpan.labels.rule import CANDIDATES, TAGS, ProbabilityContext, ProbabilityRule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SatisfyTags(ProbabilityRule):
    """Gives every tagged class of stuff its share of its crop, see `weakpan.refinement.tag_posterior`.

    Attributes:
        share: of the part of its crop that a class can have, which it needs in expectation.
        side: the multipliers are found on every k-th pixel, so that the shorter side has at most about so many.
    """

    share: float = setting(0.03, Range("more than 0 and below 1", lambda v: 0 < v < 1))
    side: int = setting(90, at_least(8))

    needs = frozenset({CANDIDATES, TAGS})
    color = (127, 0, 255)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The same tensor; over the classes of a pixel it sums to 1, or to 0 where no class is allowed."""
        # Settings are read by processes that do without torch.
        from weakpan.refinement.tag_posterior import satisfy_tags

        assert context.allowed is not None
        is_thing, annotation = context.catalog.is_thing, context.annotation
        required = np.zeros((len(context.crops), context.catalog.num_classes), bool)
        for row, tags in zip(required, annotation.tags, strict=True):
            row[[class_id for class_id in tags if not is_thing[class_id]]] = True
        areas = [crop.slices for crop in context.crops]
        return satisfy_tags(probabilities, context.allowed, areas, required, self.share, self.side)
