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
    color = (213, 94, 0)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The same tensor; over the classes of a pixel it sums to 1, or to 0 where no class is allowed."""
        # Settings are read by processes that do without torch.
        import torch

        from weakpan.refinement.bands import row_bands, share_among
        from weakpan.refinement.tag_posterior import cells_inside, tag_multipliers

        assert context.allowed is not None
        size = probabilities.shape[1:]
        stride = max(1, round(min(size) / self.side))
        rows, columns = (np.arange(stride // 2, length, stride) for length in size)
        small = probabilities[:, stride // 2 :: stride, stride // 2 :: stride].flatten(1).T
        open_to = context.allowed[:, stride // 2 :: stride, stride // 2 :: stride].flatten(1).T
        required = torch.zeros((len(context.crops), len(small[0])), dtype=torch.bool)
        is_thing = context.catalog.is_thing
        for index, tags in enumerate(context.annotation.tags):
            required[index, [class_id for class_id in tags if not is_thing[class_id]]] = True
        inside = cells_inside([crop.slices for crop in context.crops], rows, columns).to(small.device)
        logits = small.clamp_min(1e-8).log()
        pull = tag_multipliers(logits, open_to, inside, required.to(small.device), self.share)
        for crop, factors in zip(context.crops, pull.exp(), strict=True):
            probabilities[(slice(None), *crop.slices)] *= factors[:, None, None]
        for band in row_bands(probabilities):
            share_among(context.allowed[:, band], probabilities[:, band])
        return probabilities
