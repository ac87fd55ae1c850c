"""Label rules: what lies between a prediction and a label, one object each.

A rule of one's own is a dataclass derived from `MapRule` or `ProbabilityRule`, and an entry of `labels.rules`:

    labels:
      rules:
        mine: {_target_: package.module.MyRule, strength: 0.5}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from weakpan.basics.arrays import FloatMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.settings import check_settings
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.crops import Crop

if TYPE_CHECKING:
    from torch import Tensor

SCORE, MASKS, TAGS, SEEDS = "score", "masks", "tags", "seeds"
CANDIDATES, IMAGE, PROBABILITIES = "candidates", "image", "probabilities"
"""Inputs that a rule may need, see `MapContext` and `ProbabilityContext`."""


@dataclass(frozen=True)
class Rule:
    """A rule of label making; its fields are its settings, with their ranges.

    Attributes:
        inputs: names of the inputs that rules of this kind can be given.
        needs: names of those that it reads; others may be missing.
        color: RGB, 0..255, in pictures of an audit.
    """

    inputs: ClassVar[frozenset[str]] = frozenset()
    needs: ClassVar[frozenset[str]] = frozenset()
    color: ClassVar[tuple[int, int, int]] = (86, 180, 233)

    def __post_init__(self) -> None:
        """Check the ranges of all settings; raises ConfigError."""
        check_settings(self)

    def applies_in(self, round_index: int) -> bool:  # noqa: ARG002
        """Whether it applies to the labels of a round.

        Args:
            round_index: 0 for labels made from seeds, r >= 1 for those made from the r-th trained network.
        """
        return True


@dataclass(frozen=True)
class MapContext:
    """What a rule on label maps may look at.

    Attributes:
        annotation: boxes and tags of the image.
        catalog: class table.
        crops: crops of the tag grid, in the order of the tags.
        score: (H, W) float32, 0..1, of the predicted class; None unless a rule needs it.
        masks: (H, W) uint8 masks in boxes: train ids of things, 254 no thing here, 255 undecided; None unless needed.
        seeds: (H, W) uint8 train ids, 255 ignored, what tags say about pixels; None unless needed.
        probabilities: (C, H, W) float32, 0..1, after the rules on probabilities; None unless needed, and never there in
            round 0.
    """

    annotation: ImageAnnotation
    catalog: Catalog
    crops: Sequence[Crop]
    score: FloatMap | None = None
    masks: SemanticMap | None = None
    seeds: SemanticMap | None = None
    probabilities: FloatMap | None = None


@dataclass(frozen=True)
class MapRule(Rule, ABC):
    """A rule that turns a label map into a label map; workers use it, so that its module does without torch."""

    inputs = frozenset({SCORE, MASKS, TAGS, SEEDS, PROBABILITIES})

    @abstractmethod
    def __call__(self, semantic: SemanticMap, context: MapContext) -> SemanticMap:
        """A new map.

        Args:
            semantic: (H, W) uint8 train ids, 255 ignored; not to be changed.
            context: what else is known of the image.
        """


@dataclass(frozen=True)
class ProbabilityContext:
    """What a rule on probabilities may look at.

    Attributes:
        annotation: boxes and tags of the image.
        catalog: class table.
        crops: crops of the tag grid, in the order of the tags.
        image: (3, h, w) uint8 RGB, at any size, on the device of the probabilities.
        allowed: (C, H, W) bool, the classes that tags and boxes leave to each pixel; None unless a rule needs the
            candidates.
        masks: as in `MapContext`.
        seeds: as in `MapContext`.
    """

    annotation: ImageAnnotation
    catalog: Catalog
    crops: Sequence[Crop]
    image: Tensor
    allowed: Tensor | None = None
    masks: SemanticMap | None = None
    seeds: SemanticMap | None = None


@dataclass(frozen=True)
class ProbabilityRule(Rule, ABC):
    """A rule that changes the class probabilities of a network, on its device, before the most likely class is taken.

    Its module imports torch only when the rule is called: processes that clean label maps read the settings, too.
    """

    inputs = frozenset({CANDIDATES, IMAGE, MASKS, TAGS, SEEDS})

    def applies_in(self, round_index: int) -> bool:
        """Not in round 0, whose seeds are label maps."""
        return round_index > 0

    @abstractmethod
    def __call__(self, probabilities: Tensor, context: ProbabilityContext) -> Tensor:
        """The probabilities after the rule.

        Args:
            probabilities: (C, H, W) float32, 0..1; may be changed.
            context: what else is known of the image.
        """
