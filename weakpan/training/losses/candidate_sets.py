"""The loss on pixels without a label, of which tags and boxes say which classes they may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from weakpan.basics.arrays import IGNORE
from weakpan.training.losses.term import LossContext, LossTerm


def candidate_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Negative log of the probability that the network gives to a pixel's candidate classes together.

    The maximum-likelihood loss for partial labels (Jin and Ghahramani, NeurIPS 2002): exact where tags and boxes leave
    one class, silent where they leave all.

    Args:
        logits: (N, C) of the pixels.
        allowed: (N, C) bool, at least one True a row.

    Returns:
        Mean over the pixels; 0 if there are none.
    """
    within = logits.masked_fill(~allowed, float("-inf")).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - within).sum() / max(1, len(logits))


class CandidateSets(LossTerm):
    """`candidate_loss` of the unlabelled pixels; without it they count nothing, as published."""

    needs = ("semantic", "set_index", "set_table")
    teaches = ("semantic",)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor:
        """See `LossTerm`; `set_index` (B, h, w) int64 and `set_table` (S, C) bool as in `CandidateSets` of the data."""
        logits = context.enlarge(output.semantic)
        flat = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
        sets, table = batch["set_index"].flatten(), batch["set_table"]
        unlabelled = batch["semantic"].flatten() == IGNORE
        # Rows that allow everything teach nothing; leaving them out saves most of padding and void.
        informative = unlabelled & ~table.all(dim=1)[sets]
        chosen = informative.nonzero().flatten()
        return candidate_loss(flat[chosen], table[sets[chosen]])
