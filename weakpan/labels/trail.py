"""Why each pixel of a pseudo label is what it is: which rule decided it last, and what every rule changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from weakpan.basics.arrays import IGNORE, BoolMask, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog, ClassInfo
from weakpan.data.crops import CropGrid
from weakpan.labels.inputs import LabelInput
from weakpan.labels.instances import UNLABELLED
from weakpan.labels.pipeline import INPUT, INSTANCES, LabelRules, PseudoLabels, make_labels

NO_LABEL = "(no label)"
"""Stands for 255 where classes are named; in brackets, lest a class be called so."""

# From the palette of Okabe and Ito, which stays readable with any colour vision; grey for what nobody touched.
_INPUT_COLOR = (150, 150, 150)
_INSTANCES_COLOR = (204, 121, 167)


def rule_table(rules: LabelRules) -> Catalog:
    """Names and colours of whatever may decide a pixel; its position is its code in maps of rules.

    First the input, which decides a pixel that no rule changes; then all rules in their order, those that do not apply
    in a round included; then the instances, which decide a labelled pixel that several boxes of its class claim.
    """
    named = [(INPUT, _INPUT_COLOR), *((name, rule.color) for name, rule in rules.rules.items())]
    named.append((INSTANCES, _INSTANCES_COLOR))
    return Catalog("rules", tuple(ClassInfo(name, code, color, False) for code, (name, color) in enumerate(named)))


class Change(NamedTuple):
    """A row of the table of changes: so many pixels that a rule found as one class and left as another.

    `before` and `after` are names of classes, or `NO_LABEL`. They are equal in two kinds of rows, which are no changes
    of class: `input` rows count the pixels of each class before the first rule, and `instances` rows the pixels of
    each class whose instance is unknown because several boxes claim them.
    """

    step: str
    before: str
    after: str
    pixels: int


Totals = Counter[tuple[str, str, str]]
"""Pixels by (step, before, after), over any number of images: `update` one with another to merge them."""


class AuditTrail:
    """Records what each rule does to one image: pass it to `make_labels` as `trace`.

    Every map is copied, so that whatever becomes of the caller's arrays does not reach the record.

    Args:
        prediction: (H, W) uint8 train ids, 255 ignored; the map that the first rule gets.
        rules: all of them.

    Attributes:
        prediction: that map.
        table: of the rules, see `rule_table`.
        steps: name of each rule that applied and the (H, W) uint8 map after it, in order.
        contested: (H, W), True on labelled pixels that several boxes of their class claim; see `add_instances`.
    """

    def __init__(self, prediction: SemanticMap, rules: LabelRules) -> None:
        self.prediction, self.table = prediction.copy(), rule_table(rules)
        self.steps: list[tuple[str, SemanticMap]] = []
        self.contested: BoolMask = np.zeros(prediction.shape, bool)

    def __call__(self, step: str, semantic: SemanticMap) -> None:
        """Record the map after a rule.

        Raises:
            ValueError: a name that no rule has, or a map of another size.
        """
        if step not in self.table.names[1:-1]:
            raise ValueError(f"no rule is called {step!r}; rules are {', '.join(self.table.names[1:-1])}")
        if semantic.shape != self.prediction.shape:
            raise ValueError(f"{step}: a map of {semantic.shape} after one of {self.prediction.shape}")
        self.steps.append((step, semantic.copy()))

    def add_instances(self, instances: InstanceMap) -> None:
        """Record the instance map, after the last step.

        Leave it out where the settings make no instance maps: theirs are -1 everywhere, and no box has a say in that.

        Args:
            instances: (H, W) int32, as in `PseudoLabels`.
        """
        self.contested = (instances == UNLABELLED) & (self.final != IGNORE)

    @property
    def final(self) -> SemanticMap:
        """(H, W) uint8, the map after the last step."""
        return self.steps[-1][1] if self.steps else self.prediction

    def deciding_rule(self) -> SemanticMap:
        """The rule that was the last to decide about each pixel.

        Returns:
            (H, W) uint8 positions in `table`: 0 where no rule changed the class that came in, k where the k-th rule
            was the last to change it, and the last code where the instance is unknown. That one comes on top of the
            others because such a pixel teaches its class, whichever rule gave it, but no instance.
        """
        names = self.table.names
        deciding = np.zeros(self.prediction.shape, np.uint8)
        before = self.prediction
        for step, after in self.steps:
            np.copyto(deciding, np.uint8(names.index(step)), where=before != after)
            before = after
        np.copyto(deciding, np.uint8(names.index(INSTANCES)), where=self.contested)
        return deciding

    def changes(self, catalog: Catalog) -> list[Change]:
        """The changes that every rule made, by class.

        Adding `after` and taking away `before` of the rows of a step turns the pixel counts of the classes before the
        step into those after it; the `input` rows are the counts to begin with.

        Args:
            catalog: names the classes.

        Returns:
            Rows with at least one pixel each: `input`, the steps in their order, `instances`; in each by train id.
        """
        rows = [Change(INPUT, *name, n) for name, n in _by_class(self.prediction, catalog)]
        before = self.prediction
        for step, after in self.steps:
            names = _names(catalog)
            rows += [Change(step, names[a], names[b], n) for a, b, n in count_transitions(before, after)]
            before = after
        return rows + [Change(INSTANCES, *name, n) for name, n in _by_class(self.final[self.contested], catalog)]


def make_audited_labels(
    inp: LabelInput, rules: LabelRules, catalog: Catalog, grid: CropGrid, round_index: int
) -> tuple[PseudoLabels, AuditTrail]:
    """`make_labels` and the record of how they came about; takes and raises what that does."""
    trail = AuditTrail(inp.prediction, rules)
    labels = make_labels(inp, rules, catalog, grid, round_index, trail)
    if rules.instances:
        trail.add_instances(labels.instances)
    return labels, trail


def count_transitions(before: SemanticMap, after: SemanticMap) -> list[tuple[int, int, int]]:
    """Count the pixels in which two maps differ, by both values.

    Args:
        before: (H, W) uint8.
        after: (H, W) uint8.

    Returns:
        (value before, value after, pixels), ascending; only pairs that occur, none of equal values.
    """
    changed = np.flatnonzero(before != after)
    pairs = before.ravel()[changed].astype(np.uint16) << 8 | after.ravel()[changed]
    counts = np.bincount(pairs)
    return [(pair >> 8, pair & 255, int(counts[pair])) for pair in np.flatnonzero(counts).tolist()]


def total(changes: Iterable[Change]) -> Totals:
    """Add up rows of one image or of many."""
    totals: Totals = Counter()
    for change in changes:
        totals[change[:3]] += change.pixels
    return totals


def _by_class(values: SemanticMap, catalog: Catalog) -> list[tuple[tuple[str, str], int]]:
    counts, names = np.bincount(values.ravel(), minlength=256), _names(catalog)
    return [((names[value],) * 2, int(counts[value])) for value in np.flatnonzero(counts).tolist()]


def _names(catalog: Catalog) -> dict[int, str]:
    return {**dict(enumerate(catalog.names)), IGNORE: NO_LABEL}
