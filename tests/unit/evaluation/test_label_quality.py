"""Figures about pseudo labels, by hand on 6 x 6 pixels."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from tests.unit.evaluation.cityscapes_reference import random_case
from tests.unit.evaluation.street_6x6 import CAR, DOG, SKY, STREET, TRUTH, grid
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind
from weakpan.evaluation.label_quality import LabelQuality
from weakpan.evaluation.scorer import PanopticScorer

SEMANTIC = grid("""
    1 1 1 1 255 1
    1 1 1 1 255 1
    2 2 2 2 0 2
    2 2 255 2 0 2
    0 0 0 0 0 0
    0 0 0 255 255 255
""").astype(np.uint8)
INSTANCES = grid("""
    9 9 9 9 -1 9
    0 0 0 0 -1 0
    2 2 2 3 0 0
    2 2 -1 3 0 -1
    0 0 0 0 0 0
    0 0 0 -1 -1 -1
""")
BOXES = (
    Box(SKY, 0, 0, 5, 5, BoxKind.STUFF),
    Box(CAR, 0, 2, 2, 3),
    Box(CAR, 5, 2, 5, 3, BoxKind.GROUP),
    Box(CAR, 0, 2, 2, 3),
    Box(CAR, 3, 2, 4, 3),
    Box(DOG, 3, 2, 4, 3),
)


def quality_of(boxes=BOXES):
    quality = LabelQuality(STREET)
    quality.add("a", SEMANTIC, INSTANCES, TRUTH, boxes)
    return quality


def test_hand_computed_6x6():
    result = quality_of().result()
    assert result["images"] == 1
    # 34 pixels have a real label: 2 of sky, 1 of car and 3 of road carry no pseudo label; 2 of car are called road.
    assert result["labelled"] == pytest.approx(28 / 34)
    assert result["accuracy"] == pytest.approx(26 / 28)
    road, sky, car = 9 / 14, 8 / 10, 9 / 12
    assert result["miou"] == pytest.approx((road + sky + car) / 3)
    # Instance 2 has 5 of 6 pixels; instance 3 has half of its own and no match, so it is both false and missed.
    # The loose pixels on the group region belong to no segment.
    car_pq = (5 / 6) / (1 + 0.5 + 0.5)
    assert result["per_class"] == {
        "road": pytest.approx({"labelled": 9 / 12, "precision": 9 / 11, "recall": 9 / 12, "iou": road, "pq": road}),
        "sky": pytest.approx({"labelled": 8 / 10, "precision": 1.0, "recall": 8 / 10, "iou": sky, "pq": sky}),
        "car": pytest.approx({"labelled": 11 / 12, "precision": 1.0, "recall": 9 / 12, "iou": car, "pq": car_pq}),
        "dog": dict.fromkeys(("labelled", "precision", "recall", "iou", "pq")),
    }
    assert result["pq"] == pytest.approx((road + sky + car_pq) / 3)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_boxes_without_a_mask():
    # The box of sky takes id 1, the first car 2; the group and the repeat take none; the second car has 3, the dog 4.
    result = quality_of().result()
    assert (result["boxes"], result["boxes_without_mask"]) == (3, 1)
    without_stuff = quality_of(BOXES[1:]).result()
    # Now the cars have 1 and 2, and the dog has 3, a number that pixels of car carry.
    assert (without_stuff["boxes"], without_stuff["boxes_without_mask"]) == (3, 2)
    assert quality_of(()).result()["boxes"] == 0


def test_loose_pixels_of_things_are_in_no_segment():
    truth = PanopticTruth(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.int32))
    semantic = np.full((4, 4), CAR, np.uint8)
    for number, expected in ((0, None), (-1, None), (1, 0.0)):
        quality = LabelQuality(STREET)
        quality.add("a", semantic, np.full((4, 4), number, np.int32), truth)
        assert quality.result()["per_class"]["car"]["pq"] == expected


def as_labels(case):
    """The prediction of a case in the form of pseudo labels."""
    semantic = np.full(case.prediction.ids.shape, 255, np.uint8)
    for segment in case.prediction.segments:
        semantic[case.prediction.ids == segment.segment_id] = segment.class_id
    return case.image_id, semantic, case.prediction.ids


CASES = [random_case(np.random.default_rng(seed), f"image_{seed}", 40, 60, instances=12) for seed in range(5)]


def labels_of(cases):
    quality = LabelQuality(CITYSCAPES)
    for case in cases:
        quality.add(*as_labels(case), case.truth)
    return quality


def test_agrees_with_the_scorer_on_the_same_maps():
    scorer = PanopticScorer(CITYSCAPES, with_ap=False)
    for case in CASES:
        scorer.add(case.image_id, case.prediction, case.truth)
    scores, result = scorer.result().as_dict(), labels_of(CASES).result()
    assert (result["pq"], result["miou"]) == (scores["pq"], scores["miou"])
    assert [row["iou"] for row in result["per_class"].values()] == [row["iou"] for row in scores["per_class"].values()]


def test_merged_processes_equal_one_in_any_order():
    expected = labels_of(CASES).result()
    first, second = labels_of(CASES[2:]), labels_of(CASES[:3])
    merged = pickle.loads(pickle.dumps(first))
    merged.merge(second)
    second.merge(first)
    assert merged.result() == second.result() == labels_of(CASES[::-1]).result() == expected
    with pytest.raises(ValueError, match="class table"):
        merged.merge(LabelQuality(STREET))


def test_nothing_entered_is_none_throughout():
    result = LabelQuality(STREET).result()
    assert (result["images"], result["boxes"], result["boxes_without_mask"]) == (0, 0, 0)
    assert [result[key] for key in ("labelled", "accuracy", "miou", "pq")] == [None] * 4


def test_errors_name_the_image():
    quality = quality_of()
    with pytest.raises(DataError, match="image a is scored twice"):
        quality.add("a", SEMANTIC, INSTANCES, TRUTH)
    with pytest.raises(DataError, match="image b: the semantic label is 6 x 5"):
        quality.add("b", SEMANTIC[:, 1:], INSTANCES, TRUTH)
    with pytest.raises(DataError, match="image b: the instance label is 5 x 6"):
        quality.add("b", SEMANTIC, INSTANCES[1:], TRUTH)
    with pytest.raises(DataError, match="image b: the label holds train id 4"):
        quality.add("b", np.full((6, 6), 4, np.uint8), INSTANCES, TRUTH)
