"""Label rule: a pixel keeps some belief in its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        from weakpan.refinement.seed_mixture import mix_seeds

        assert context.seeds is not None
        return mix_seeds(probabilities, context.seeds, self.weight)
