"""Pseudo labels of one image: the rules in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from weakpan.basics.arrays import InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError
from weakpan.data.crops import CropGrid
from weakpan.labels.box_prior import BoxPrior
from weakpan.labels.inputs import LabelInput, check_input
from weakpan.labels.instances import UNLABELLED, label_instances
from weakpan.labels.low_iou_fill import LowIouFill
from weakpan.labels.mask_merge import MaskMerge
from weakpan.labels.rule import MapContext, MapRule, ProbabilityContext, ProbabilityRule, Rule
from weakpan.labels.score_threshold import ScoreThreshold
from weakpan.labels.tag_check import TagCheck

if TYPE_CHECKING:
    from torch import Tensor

RESERVED = INPUT, INSTANCES = "input", "instances"
"""Stand for the prediction and for the instances where what decided a pixel is named; no rule is called so."""

Trace = Callable[[str, SemanticMap], None]
"""Called with the name of a rule and the (H, W) map after it, which must not be changed."""


def published_rules() -> dict[str, Rule]:
    """The rules of the authors' released code, in its order and with its settings."""
    return {
        "score_threshold": ScoreThreshold(),
        "tag_check": TagCheck(),
        "mask_merge": MaskMerge(),
        "box_prior": BoxPrior(),
        "low_iou_fill": LowIouFill(),
    }


@dataclass(frozen=True)
class LabelRules:
    """How pseudo labels are made: everything between a prediction and a label.

    Attributes:
        rules: by name, in the order in which they apply. Those on probabilities are put first, wherever they stand.
        instances: make instance maps; else they are -1 everywhere.

    Raises:
        ConfigError: a rule that needs what its kind is not given, or a reserved name.
    """

    rules: Mapping[str, Rule] = field(default_factory=published_rules)
    instances: bool = True

    def __post_init__(self) -> None:
        """Check names and inputs; put the rules in order."""
        for name, rule in self.rules.items():
            if name in RESERVED:
                raise ConfigError("reserved for audits", key=f"rules.{name}", remedy="give the rule another name")
            if not rule.needs <= rule.inputs:
                needed, given = (", ".join(sorted(names)) for names in (rule.needs - rule.inputs, rule.inputs))
                raise ConfigError(f"needs {needed}; rules of its kind can be given {given}", key=f"rules.{name}")
        # An entry that is added on the command line comes last.
        ordered = sorted(self.rules.items(), key=lambda entry: isinstance(entry[1], MapRule))
        object.__setattr__(self, "rules", dict(ordered))

    def in_round(self, round_index: int) -> dict[str, Rule]:
        """The rules that apply to the labels of a round, in their order."""
        return {name: rule for name, rule in self.rules.items() if rule.applies_in(round_index)}

    def on_maps(self, round_index: int) -> dict[str, MapRule]:
        """Those of them that work on label maps."""
        return {name: rule for name, rule in self.in_round(round_index).items() if isinstance(rule, MapRule)}

    def on_probabilities(self, round_index: int) -> dict[str, ProbabilityRule]:
        """Those of them that work on probabilities."""
        return {name: rule for name, rule in self.in_round(round_index).items() if isinstance(rule, ProbabilityRule)}

    def needs(self, round_index: int, on_maps_only: bool = False) -> frozenset[str]:
        """Inputs that the rules of a round read, or those of them that work on label maps."""
        rules = self.on_maps(round_index) if on_maps_only else self.in_round(round_index)
        return frozenset[str]().union(*(rule.needs for rule in rules.values()))


@dataclass(frozen=True)
class PseudoLabels:
    """Labels that a network is trained on.

    Attributes:
        semantic: (H, W) uint8 train ids, 255 ignored.
        instances: (H, W) int32: 0 no instance, k >= 1 the k-th box (see `number_boxes`), -1 unlabelled. Pixels that are
            255 in `semantic` are -1; the reverse does not hold.
    """

    semantic: SemanticMap
    instances: InstanceMap


def make_labels(
    inp: LabelInput, rules: LabelRules, catalog: Catalog, grid: CropGrid, round_index: int, trace: Trace | None = None
) -> PseudoLabels:
    """Make the pseudo labels of one image for one round of training.

    Args:
        inp: prediction, weak annotation and what the rules need; none of it is changed.
        rules: those on label maps apply.
        catalog: the class table that all train ids belong to.
        grid: the crop grid that the annotation's tags belong to.
        round_index: 0 when the prediction comes from seeds, r >= 1 when it comes from the r-th trained network.
        trace: called after each rule that applies, in order, for audits.

    Returns:
        Labels of the image's size, in new arrays.

    Raises:
        DataError: input that does not fit together; the message names the image.
        ValueError: a negative round.
    """
    if round_index < 0:
        raise ValueError(f"round_index={round_index}: rounds count from 0")
    crops = grid.crops(inp.annotation.height, inp.annotation.width)
    check_input(inp, rules.needs(round_index, on_maps_only=True), catalog, crops)
    context = MapContext(inp.annotation, catalog, crops, inp.score, inp.masks, inp.seeds, inp.probabilities)
    semantic = inp.prediction
    for name, rule in rules.on_maps(round_index).items():
        semantic = rule(semantic, context)
        if trace is not None:
            trace(name, semantic)
    if semantic is inp.prediction:
        semantic = semantic.copy()
    if rules.instances:
        instances = label_instances(semantic, inp.annotation.boxes)
    else:
        instances = np.full(semantic.shape, UNLABELLED, np.int32)
    return PseudoLabels(semantic, instances)


def refine_probabilities(
    probabilities: Tensor,
    rules: LabelRules,
    context: ProbabilityContext,
    round_index: int,
    trace: Callable[[str, Tensor], None] | None = None,
) -> Tensor:
    """Apply the rules on probabilities.

    Args:
        probabilities: (C, H, W) float32, 0..1, of a network; may be changed.
        rules: those on probabilities apply.
        context: what else is known of the image.
        round_index: of the labels that are made.
        trace: called with the name of each rule and the probabilities after it, for audits.
    """
    for name, rule in rules.on_probabilities(round_index).items():
        probabilities = rule(probabilities, context)
        if trace is not None:
            trace(name, probabilities)
    return probabilities
