"""Label rule: a pixel is of a class that tags and boxes leave to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakpan.labels.rule import CANDIDATES, ProbabilityContext, ProbabilityRule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CandidateClasses(ProbabilityRule):
    """Divides the probabilities of each pixel among the classes that it can have.

    Without it, as published, a class that tags or boxes rule out is taken and then ignored.
    """

    needs = frozenset({CANDIDATES})
    color = (86, 180, 233)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The same tensor; over the classes of a pixel it sums to 1, or to 0 where no class is allowed."""
        # Settings are read by processes that do without torch.
        from weakpan.refinement.bands import row_bands, share_among

        assert context.allowed is not None
        for rows in row_bands(probabilities):
            share_among(context.allowed[:, rows], probabilities[:, rows])
        return probabilities
