"""Pseudo ground truth: label rules that `labels.rules` can name, and the pipeline that applies them in order."""

from weakpan.labels.box_prior import BoxPrior
from weakpan.labels.candidate_classes import CandidateClasses
from weakpan.labels.diffusion import Diffusion
from weakpan.labels.keep_seeds import KeepSeeds
from weakpan.labels.low_iou_fill import LowIouFill
from weakpan.labels.mask_merge import MaskMerge
from weakpan.labels.rule import MapContext, MapRule, ProbabilityContext, ProbabilityRule, Rule
from weakpan.labels.satisfy_tags import SatisfyTags
from weakpan.labels.score_threshold import ScoreThreshold
from weakpan.labels.tag_check import TagCheck
from weakpan.labels.trust_seeds import TrustSeeds

__all__ = [
    "BoxPrior",
    "CandidateClasses",
    "Diffusion",
    "KeepSeeds",
    "LowIouFill",
    "MapContext",
    "MapRule",
    "MaskMerge",
    "ProbabilityContext",
    "ProbabilityRule",
    "Rule",
    "SatisfyTags",
    "ScoreThreshold",
    "TagCheck",
    "TrustSeeds",
]
