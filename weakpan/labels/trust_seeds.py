"""Label rule: a pixel keeps some belief in its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakpan.basics.arrays import IGNORE
from weakpan.basics.settings import between, setting
from weakpan.labels.rule import SEEDS, ProbabilityContext, ProbabilityRule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TrustSeeds(ProbabilityRule):
    """Mixes the probabilities of a network with the seeds, which err elsewhere.

    A network that learned from its own labels is sure of their errors; seeds that were made in another way are not.

    Attributes:
        weight: of the seed of a pixel, 0..1; pixels without a seed keep their probabilities.
    """

    weight: float = setting(0.4, between(0, 1))

    needs = frozenset({SEEDS})
    color = (0, 128, 128)

    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The same tensor, (C, H, W), whose classes sum to what they summed to for pixels of probabilities."""
        # Settings are read by processes that do without torch.
        import torch

        assert context.seeds is not None
        seeds = torch.from_numpy(context.seeds).to(probabilities.device)
        seeded = seeds != IGNORE
        weights = self.weight * seeded.to(probabilities.dtype)
        probabilities.mul_(1 - weights)
        places = torch.where(seeded, seeds, torch.zeros_like(seeds)).long()[None]
        return probabilities.scatter_add_(0, places, weights[None])
