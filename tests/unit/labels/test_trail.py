"""The record of which rule decided a pixel, against comparing the maps one pixel at a time."""

import pickle
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import weakpan.labels
from tests.unit.labels.label_cases import catalog_of, label_cases
from tests.unit.labels.plain_labels import plain_labels, plain_rules
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import BoxPrior, ScoreThreshold, TagCheck
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import INPUT, INSTANCES, LabelRules, make_labels
from weakpan.labels.trail import (
    NO_LABEL,
    AuditTrail,
    Change,
    count_transitions,
    make_audited_labels,
    rule_table,
    total,
)

CATALOG = catalog_of(False, True)
BASES = ("MapContext", "MapRule", "ProbabilityContext", "ProbabilityRule", "Rule")


def plain_maps(case):
    """The map before the first rule and after every rule that applies, from the plain reference."""
    rules = list(plain_rules(case.rules, case.round_index).items())
    maps = [case.inp.prediction]
    for last in range(len(rules)):
        first = LabelRules(dict(rules[: last + 1]))
        maps.append(plain_labels(case.inp, first, case.catalog, case.grid, case.round_index)[0])
    return [name for name, _ in rules], maps


def counted(values, catalog):
    names = [*catalog.names, *[None] * (255 - catalog.num_classes), NO_LABEL]
    return Counter(names[v] for v in values.ravel().tolist())


@settings(max_examples=200, deadline=None)
@given(label_cases())
def test_deciding_rule_is_the_last_that_changed_the_pixel(case):
    names, maps = plain_maps(case)
    labels, trail = make_audited_labels(*case)
    deciding, codes = trail.deciding_rule(), [INPUT, *case.rules.rules, INSTANCES]
    assert (deciding.dtype, deciding.shape) == (np.uint8, case.inp.prediction.shape)
    for y, x in np.ndindex(deciding.shape):
        expected = INPUT
        for name, (before, after) in zip(names, pairwise(maps), strict=True):
            if before[y, x] != after[y, x]:
                expected = name
        if case.rules.instances and labels.semantic[y, x] != 255 and labels.instances[y, x] == -1:
            expected = INSTANCES
        assert codes[deciding[y, x]] == expected


@settings(max_examples=200, deadline=None)
@given(label_cases())
def test_changes_lead_from_the_counts_of_the_input_to_those_of_the_labels(case):
    names, maps = plain_maps(case)
    labels, trail = make_audited_labels(*case)
    changes = trail.changes(case.catalog)
    assert all(type(c.pixels) is int and c.pixels > 0 for c in changes)
    first, *rest = (counted(values, case.catalog) for values in maps)
    counts = Counter({c.before: c.pixels for c in changes if c.step == INPUT})
    assert counts == first
    for name, expected in zip(names, rest, strict=True):
        rows = [c for c in changes if c.step == name]
        assert all(c.before != c.after for c in rows)
        for row in rows:
            counts[row.before] -= row.pixels
            counts[row.after] += row.pixels
        assert +counts == expected
    assert +counts == counted(labels.semantic, case.catalog)
    contested = (labels.instances == -1) & (labels.semantic != 255) & case.rules.instances
    assert Counter({c.after: c.pixels for c in changes if c.step == INSTANCES}) == counted(
        labels.semantic[contested], case.catalog
    )


@settings(max_examples=100, deadline=None)
@given(label_cases())
def test_labels_are_the_same_with_a_record(case):
    labels, trail = make_audited_labels(*case)
    bare = make_labels(*case)
    np.testing.assert_array_equal(labels.semantic, bare.semantic)
    np.testing.assert_array_equal(labels.instances, bare.instances)
    np.testing.assert_array_equal(trail.final, bare.semantic)


def test_every_pair_is_counted():
    before = np.array([[0, 0, 255, 1, 1], [0, 0, 255, 253, 7]], np.uint8)
    after = np.array([[0, 255, 253, 255, 1], [1, 255, 253, 0, 7]], np.uint8)
    assert count_transitions(before, after) == [(0, 1, 1), (0, 255, 2), (1, 255, 1), (253, 0, 1), (255, 253, 2)]
    assert count_transitions(after, after) == []


def test_record_of_a_known_image():
    prediction = np.array([[1, 1, 1, 0, 0, 0]] * 2, np.uint8)
    boxes = (Box(1, 0, 0, 1, 1), Box(1, 1, 0, 1, 1))
    inp = LabelInput(prediction, None, None, ImageAnnotation("a", 2, 6, boxes, (frozenset({0, 1}), frozenset({1}))))
    rules = LabelRules({"box_prior": BoxPrior(), "score": ScoreThreshold(), "tags": TagCheck()})
    _, trail = make_audited_labels(inp, rules, CATALOG, CropGrid(2, 4), 0)
    # In round 0 the scores decide nothing, and keep their code.
    prior, tags, shared = 1, 3, 4
    assert trail.deciding_rule().tolist() == [[0, shared, prior, tags, tags, tags]] * 2
    assert trail.changes(CATALOG) == [
        (INPUT, "class0", "class0", 6),
        (INPUT, "class1", "class1", 6),
        ("box_prior", "class1", NO_LABEL, 2),
        ("tags", "class0", NO_LABEL, 6),
        (INSTANCES, "class1", "class1", 2),
    ]


def test_a_pixel_changed_and_changed_back_belongs_to_the_last_rule():
    trail = AuditTrail(np.array([[1, 1]], np.uint8), LabelRules())
    trail("tag_check", np.array([[255, 1]], np.uint8))
    trail("low_iou_fill", np.array([[1, 1]], np.uint8))
    assert trail.deciding_rule().tolist() == [[trail.table.names.index("low_iou_fill"), 0]]


def test_without_instance_maps_nothing_is_contested():
    inp = LabelInput(np.ones((2, 2), np.uint8), None, None, ImageAnnotation("a", 2, 2, (), ()))
    _, trail = make_audited_labels(inp, LabelRules({}, instances=False), CATALOG, CropGrid(2, 2), 1)
    assert not trail.deciding_rule().any()
    assert trail.changes(CATALOG) == [(INPUT, "class1", "class1", 4)]


def test_record_does_not_follow_the_arrays_of_the_caller():
    prediction, after = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    trail = AuditTrail(prediction, LabelRules())
    trail("box_prior", after)
    prediction[:], after[:] = 7, 9
    assert trail.changes(CATALOG) == [(INPUT, "class0", "class0", 4), ("box_prior", "class0", "class1", 4)]


def test_record_refuses_what_is_no_step_of_this_image():
    trail = AuditTrail(np.zeros((2, 3), np.uint8), LabelRules())
    with pytest.raises(ValueError, match="no rule is called 'dilate'"):
        trail("dilate", np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"\(3, 2\) after one of \(2, 3\)"):
        trail("box_prior", np.zeros((3, 2), np.uint8))


def test_totals_of_worker_processes_add_up():
    one = [Change("tag_check", "road", NO_LABEL, 3), Change("box_prior", "car", NO_LABEL, 1)]
    two = [Change("tag_check", "road", NO_LABEL, 4), Change("tag_check", "car", NO_LABEL, 5)]
    merged = total(one)
    merged.update(pickle.loads(pickle.dumps(total(two))))
    assert merged == total([*one, *two])
    assert merged["tag_check", "road", NO_LABEL] == 7


def test_codes_in_files_stay_what_they_are():
    codes = "input score_threshold tag_check mask_merge box_prior low_iou_fill instances"
    assert codes.split() == list(rule_table(LabelRules()).names)


def test_every_rule_has_a_color_of_its_own():
    rules = {name: getattr(weakpan.labels, name)() for name in weakpan.labels.__all__ if name not in BASES}
    table = rule_table(LabelRules(rules))
    assert len(rules) >= 7
    assert len({c.color for c in table.classes}) == len(table.classes) == len(rules) + 2
