"""The pipeline against the plain reference, its switches and its complaints."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from tests.unit.labels.label_cases import catalog_of, label_cases
from tests.unit.labels.plain_labels import plain_labels
from weakpan.basics.arrays import NO_THING
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels.pipeline import LabelInput, LabelSettings, make_labels
from weakpan.labels.settings import STEPS


@settings(max_examples=600, deadline=None)
@given(label_cases())
def test_equals_the_plain_reference(case):
    inp, label_settings, catalog, grid, round_index = case
    before = inp.prediction.copy(), inp.score.copy(), inp.masks.copy()
    labels = make_labels(inp, label_settings, catalog, grid, round_index)
    semantic, instances = plain_labels(inp, label_settings, catalog, grid, round_index)
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


def traced(inp, label_settings, round_index):
    seen = {}
    labels = make_labels(
        inp, label_settings, CATALOG, GRID, round_index, lambda step, label: seen.update({step: label})
    )
    return seen, labels


def test_trace_sees_the_map_after_each_step(small):
    steps, labels = traced(small, LabelSettings(), 1)
    assert tuple(steps) == STEPS
    assert (steps["score_threshold"] == 255).all()
    assert (steps["low_iou_fill"][1:, 1:3] == 1).all()
    np.testing.assert_array_equal(steps["low_iou_fill"], labels.semantic)


def test_round_0_uses_no_scores(small):
    steps, _ = traced(replace(small, score=None), LabelSettings(), 0)
    assert tuple(steps) == STEPS[1:]


def test_masks_are_merged_up_to_the_last_mask_round(small):
    for_all = LabelSettings(mask_rounds=2)
    assert "mask_merge" in traced(small, for_all, 2)[0]
    assert "mask_merge" not in traced(replace(small, masks=None), for_all, 3)[0]


def test_without_instances_all_are_unlabelled(small):
    _, labels = traced(small, LabelSettings(instances=False), 1)
    assert (labels.instances == -1).all()
    assert (labels.semantic == 1).any()


def test_no_step_copies_the_prediction(small):
    _, labels = traced(small, LabelSettings(steps=()), 1)
    np.testing.assert_array_equal(labels.semantic, small.prediction)
    assert not np.shares_memory(labels.semantic, small.prediction)


def test_maps_that_are_views_work(small):
    flipped = replace(small, prediction=np.asfortranarray(small.prediction)[:, ::-1], masks=small.masks[::-1, ::-1])
    copied = replace(flipped, prediction=flipped.prediction.copy(), masks=flipped.masks.copy())
    ours, theirs = (make_labels(inp, LabelSettings(), CATALOG, GRID, 0) for inp in (flipped, copied))
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
        make_labels(replace(small, **change), LabelSettings(), CATALOG, GRID, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": (Box(1, 0, 0, 6, 3),)}, r"box \(0, 0, 6, 3\) is empty or outside its 6 x 4 image"),
        ({"boxes": (Box(1, -1, 0, 2, 3),)}, "outside"),
        ({"boxes": (Box(2, 0, 0, 2, 3),)}, "test has no such train id"),
        ({"boxes": (Box(0, 0, 0, 2, 3),)}, "class0 cannot be of kind instance"),
        ({"tags": (frozenset({0}), frozenset({1}))}, "2 lists of tags, but the crop grid has 1 tiles"),
    ],
)
def test_unfit_annotations_are_refused_by_image_id(small, change, message):
    with pytest.raises(DataError, match=f"labels of town_7: .*{message}"):
        make_labels(replace(small, annotation=replace(small.annotation, **change)), LabelSettings(), CATALOG, GRID, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": ("tag_check", "dilate")}, "labels.steps: no step is called 'dilate'"),
        ({"steps": ("tag_check", "box_prior", "tag_check")}, "labels.steps: tag_check occurs twice"),
        ({"steps": "tag_check"}, "labels.steps='tag_check': expected a list"),
        ({"steps": None}, "labels.steps=None"),
        ({"score_threshold": 1.01}, "labels.score_threshold=1.01"),
        ({"score_threshold": float("nan")}, "labels.score_threshold=nan"),
        ({"fill_threshold": -0.1}, "labels.fill_threshold=-0.1"),
        ({"fill_threshold": True}, "labels.fill_threshold=True"),
        ({"mask_rounds": -1}, "labels.mask_rounds=-1"),
        ({"mask_rounds": 2.5}, "labels.mask_rounds=2.5"),
        ({"fill_over_things": 1}, "labels.fill_over_things=1"),
        ({"instances": "yes"}, "labels.instances='yes'"),
    ],
)
def test_settings_out_of_range_name_their_key(change, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        LabelSettings(**change)


def test_settings_take_the_list_of_a_configuration_file():
    assert LabelSettings(steps=["tag_check"]) == LabelSettings(steps=("tag_check",))


def test_negative_rounds_are_refused(small):
    with pytest.raises(ValueError, match="round_index=-1"):
        make_labels(small, LabelSettings(), CATALOG, GRID, -1)
