"""Terms of losses, one class each; a configuration names them in `losses`."""

from weakpan.training.losses.candidate_sets import CandidateSets
from weakpan.training.losses.cross_entropy import CrossEntropy, TagCrossEntropy
from weakpan.training.losses.instances import CentreHeatmap, CentreOffsets
from weakpan.training.losses.presence import Presence
from weakpan.training.losses.term import LossContext, LossTerm

__all__ = [
    "CandidateSets",
    "CentreHeatmap",
    "CentreOffsets",
    "CrossEntropy",
    "LossContext",
    "LossTerm",
    "Presence",
    "TagCrossEntropy",
]
