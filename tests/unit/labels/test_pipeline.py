"""The pipeline against the plain reference, its switches and its complaints."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings

from tests.unit.labels.label_cases import catalog_of, label_cases
from tests.unit.labels.plain_labels import plain_labels
from weakpan.basics.arrays import NO_THING
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import CandidateClasses, Diffusion, LowIouFill, MapRule, MaskMerge, TagCheck
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, make_labels, published_rules
from weakpan.labels.rule import CANDIDATES

PUBLISHED = LabelRules()


@settings(max_examples=600, deadline=None)
@given(label_cases())
def test_equals_the_plain_reference(case):
    inp, rules, catalog, grid, round_index = case
    before = inp.prediction.copy(), inp.score.copy(), inp.masks.copy()
    labels = make_labels(inp, rules, catalog, grid, round_index)
    semantic, instances = plain_labels(inp, rules, catalog, grid, round_index)
    np.testing.assert_array_equal(labels.semantic, semantic)
    np.testing.assert_array_equal(labels.instances, instances)
    assert (labels.semantic.dtype, labels.instances.dtype) == (np.uint8, np.int32)
    for given_map, copy in zip((inp.prediction, inp.score, inp.masks), before, strict=True):
        np.testing.assert_array_equal(given_map, copy)
        assert not np.shares_memory(labels.semantic, given_map)


@pytest.fixture
def small():
    """A 4 x 6 image, one thing (1) predicted over the left half, stuff (0) over the right; scores and masks given."""
    prediction = np.repeat(np.array([[1, 1, 1, 0, 0, 0]], np.uint8), 4, axis=0)
    annotation = ImageAnnotation("town_7", 4, 6, (Box(1, 0, 0, 2, 3),), (frozenset({0, 1}),))
    score = np.full((4, 6), 0.5, np.float32)
    return LabelInput(prediction, score, np.full((4, 6), NO_THING, np.uint8), annotation)


CATALOG = catalog_of(False, True)
GRID = CropGrid(4, 6)


def traced(inp, rules, round_index):
    seen = {}
    labels = make_labels(inp, rules, CATALOG, GRID, round_index, lambda step, label: seen.update({step: label}))
    return seen, labels


def test_trace_sees_the_map_after_each_step(small):
    steps, labels = traced(small, PUBLISHED, 1)
    assert tuple(steps) == tuple(published_rules())
    assert (steps["score_threshold"] == 255).all()
    assert (steps["low_iou_fill"][1:, 1:3] == 1).all()
    np.testing.assert_array_equal(steps["low_iou_fill"], labels.semantic)


def test_round_0_uses_no_scores(small):
    steps, _ = traced(replace(small, score=None), PUBLISHED, 0)
    assert tuple(steps) == tuple(published_rules())[1:]


def test_masks_are_merged_up_to_the_last_mask_round(small):
    for_all = LabelRules({"mask_merge": MaskMerge(last_round=2)})
    assert "mask_merge" in traced(small, for_all, 2)[0]
    assert "mask_merge" not in traced(replace(small, masks=None), for_all, 3)[0]


def test_without_instances_all_are_unlabelled(small):
    _, labels = traced(small, LabelRules(instances=False), 1)
    assert (labels.instances == -1).all()
    assert (labels.semantic == 1).any()


def test_no_step_copies_the_prediction(small):
    _, labels = traced(small, LabelRules({}), 1)
    np.testing.assert_array_equal(labels.semantic, small.prediction)
    assert not np.shares_memory(labels.semantic, small.prediction)


def test_maps_that_are_views_work(small):
    flipped = replace(small, prediction=np.asfortranarray(small.prediction)[:, ::-1], masks=small.masks[::-1, ::-1])
    copied = replace(flipped, prediction=flipped.prediction.copy(), masks=flipped.masks.copy())
    ours, theirs = (make_labels(inp, PUBLISHED, CATALOG, GRID, 0) for inp in (flipped, copied))
    np.testing.assert_array_equal(ours.semantic, theirs.semantic)
    np.testing.assert_array_equal(ours.instances, theirs.instances)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": np.zeros((4, 5), np.uint8)}, r"prediction has shape \(4, 5\).*\(4, 6\)"),
        ({"prediction": np.zeros((4, 6), np.int64)}, "prediction is of dtype int64; expected uint8"),
        ({"prediction": np.full((4, 6), 2, np.uint8)}, "prediction holds 2; expected train ids below 2"),
        ({"score": None}, "score is missing"),
        ({"score": np.zeros((4, 6))}, "score is of dtype float64; expected float32"),
        ({"score": np.zeros((6, 4), np.float32)}, r"score has shape \(6, 4\)"),
        ({"masks": None}, "masks is missing"),
        ({"masks": np.zeros((4, 6), np.uint8)}, r"masks holds 0; expected train ids of things, 254 \(no thing\)"),
    ],
)
def test_unfit_maps_are_refused_by_image_id(small, change, message):
    with pytest.raises(DataError, match=f"labels of town_7: {message}"):
        make_labels(replace(small, **change), PUBLISHED, CATALOG, GRID, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": (Box(1, 0, 0, 6, 3),)}, r"box \(0, 0, 6, 3\) is empty or outside its 6 x 4 image"),
        ({"boxes": (Box(1, -1, 0, 2, 3),)}, "outside"),
        ({"boxes": (Box(2, 0, 0, 2, 3),)}, "test has no such train id"),
        ({"boxes": (Box(0, 0, 0, 2, 3),)}, "class0 cannot be of kind instance"),
        ({"tags": (frozenset({0}), frozenset({1}))}, "2 lists of tags, but the crop grid has 1 crops"),
    ],
)
def test_unfit_annotations_are_refused_by_image_id(small, change, message):
    with pytest.raises(DataError, match=f"labels of town_7: .*{message}"):
        make_labels(replace(small, annotation=replace(small.annotation, **change)), PUBLISHED, CATALOG, GRID, 1)


def test_rules_on_probabilities_do_nothing_to_label_maps(small):
    rules = LabelRules({"candidates": CandidateClasses(), "diffusion": Diffusion(), **published_rules()})
    steps, labels = traced(small, rules, 1)
    assert tuple(steps) == tuple(published_rules())
    np.testing.assert_array_equal(labels.semantic, traced(small, PUBLISHED, 1)[1].semantic)


@dataclass(frozen=True)
class Greedy(MapRule):
    """Needs everything that a rule on label maps can be given."""

    needs = MapRule.inputs

    def __call__(self, semantic, context):
        assert context.seeds is not None
        return np.where(context.probabilities[1] > context.score, context.seeds, semantic)


def test_a_rule_is_given_what_it_needs(small):
    seeds, probabilities = np.full((4, 6), 255, np.uint8), np.full((2, 4, 6), 0.25, np.float32)
    probabilities[1, 2] = 0.75
    given = replace(small, seeds=seeds, probabilities=probabilities)
    _, labels = traced(given, LabelRules({"greedy": Greedy()}), 1)
    np.testing.assert_array_equal(labels.semantic, [[1, 1, 1, 0, 0, 0]] * 2 + [[255] * 6] + [[1, 1, 1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": None}, "seeds is missing"),
        ({"seeds": np.full((4, 6), 2, np.uint8)}, "seeds holds 2; expected train ids below 2"),
        ({"probabilities": None}, "probabilities is missing"),
        ({"probabilities": np.zeros((3, 4, 6), np.float32)}, r"probabilities has shape \(3, 4, 6\).*\(2, 4, 6\)"),
    ],
)
def test_what_some_rule_needs_is_checked_and_the_rest_is_not_looked_at(small, change, message):
    seeds, probabilities = np.zeros((4, 6), np.uint8), np.zeros((2, 4, 6), np.float32)
    inp = replace(small, **{"seeds": seeds, "probabilities": probabilities, **change})
    make_labels(inp, PUBLISHED, CATALOG, GRID, 1)
    with pytest.raises(DataError, match=f"labels of town_7: {message}"):
        make_labels(inp, LabelRules({"greedy": Greedy()}), CATALOG, GRID, 1)


@dataclass(frozen=True)
class Misspelt(MapRule):
    needs = frozenset({"scores"})

    def __call__(self, semantic, context):  # noqa: ARG002
        return semantic


@pytest.mark.parametrize(
    ("rules", "key", "what"),
    [
        ({"instances": TagCheck()}, "rules.instances", "reserved"),
        ({"mine": Misspelt()}, "rules.mine", "needs scores; .* masks, probabilities, score, seeds, tags"),
    ],
)
def test_rules_that_cannot_work_are_named(rules, key, what):
    with pytest.raises(ConfigError, match=what) as caught:
        LabelRules(rules)
    assert caught.value.key == key


def test_rules_of_a_round():
    rules = LabelRules(
        {"candidates": CandidateClasses(), "tags": TagCheck(), "masks": MaskMerge(1), "greedy": Greedy()}
    )
    assert list(rules.in_round(0)) == ["tags", "masks", "greedy"]
    assert list(rules.in_round(1)) == list(rules.rules)
    assert list(rules.in_round(2)) == ["candidates", "tags", "greedy"]
    assert rules.needs(1) == {CANDIDATES, *MapRule.inputs}
    assert rules.needs(1, on_maps_only=True) == MapRule.inputs
    assert LabelRules({"masks": MaskMerge(1)}).needs(2) == set()


def test_rules_on_probabilities_come_first_wherever_they_stand():
    named = {"tags": TagCheck(), "flow": Diffusion(), "masks": MaskMerge(1), "candidates": CandidateClasses()}
    assert list(LabelRules(named).rules) == ["flow", "candidates", "tags", "masks"]


def test_rules_travel_to_worker_processes():
    rules = LabelRules({"candidates": CandidateClasses(), "fill": LowIouFill(0.3, True)}, instances=False)
    assert pickle.loads(pickle.dumps(rules)) == rules


def test_negative_rounds_are_refused(small):
    with pytest.raises(ValueError, match="round_index=-1"):
        make_labels(small, PUBLISHED, CATALOG, GRID, -1)
