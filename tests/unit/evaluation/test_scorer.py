"""Hand-computed scores, and that neither order nor the split over processes changes them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from tests.unit.evaluation.cityscapes_reference import random_case
from tests.unit.evaluation.street_6x6 import CAR, ROAD, STREET, hand_case
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment
from weakpan.evaluation.scorer import PanopticScorer


def test_hand_computed_6x6():
    scorer = PanopticScorer(STREET)
    scorer.add("a", *hand_case())
    scores = scorer.result().as_dict()
    # road: 8 of 12 found, nothing else called road. sky: 10 of 10, and one pixel of road (2 ignored ones do not count).
    road, sky = 8 / 12, 10 / 11
    # Cars: 4 of 6 and 4 of 4 + 2 pixels match; the one on the group region is excused. The dog is a false positive.
    car = (4 / 6 + 4 / 6) / 2
    per_class = scores["per_class"]
    assert per_class["road"]["pq"] == pytest.approx(road)
    assert per_class["sky"]["pq"] == pytest.approx(sky)
    assert per_class["car"] == pytest.approx({"iou": 1.0, "pq": car, "sq": car, "rq": 1.0, "ap": None, "ap50": None})
    assert per_class["dog"] == {"iou": 0.0, "pq": 0.0, "sq": 0.0, "rq": 0.0, "ap": None, "ap50": None}
    assert scores["pq"] == pytest.approx((road + sky + car) / 4)
    assert scores["rq"] == pytest.approx(3 / 4)
    assert scores["pq_things"] == pytest.approx(car / 2)
    assert scores["sq_stuff"] == pytest.approx((road + sky) / 2)
    assert scores["miou"] == pytest.approx((8 / 12 + 10 / 11 + 1.0 + 0.0) / 4)
    assert scores["images"] == 1


def test_a_semantic_prediction_replaces_the_panoptic_one_for_the_iou():
    prediction, truth = hand_case()
    scorer = PanopticScorer(STREET)
    scorer.add("a", prediction, truth, np.where(truth.semantic == CAR, 255, truth.semantic).astype(np.uint8))
    scores = scorer.result().as_dict()
    assert [row["iou"] for row in scores["per_class"].values()] == [1.0, 1.0, 0.0, None]
    assert scores["pq"] == pytest.approx((8 / 12 + 10 / 11 + 4 / 6) / 4)


def ranked(found, missed=0):
    """One 10 x N image a car of 100 pixels; `found` says for each prediction, by falling score, whether it is right."""
    blocks = len(found) + missed
    semantic, numbers = np.zeros((10, 10 * blocks), np.uint8), np.zeros((10, 10 * blocks), np.int32)
    ids = np.zeros((10, 10 * blocks), np.int32)
    segments = []
    for index in range(blocks):
        columns = slice(10 * index, 10 * index + 10)
        if index < len(found):
            ids[:, columns] = index + 1
            segments.append(Segment(index + 1, CAR, 1 - index / blocks))
        if index >= len(found) or found[index]:
            semantic[:, columns], numbers[:, columns] = CAR, index + 1
    return PanopticMap(ids, tuple(segments)), PanopticTruth(semantic, numbers)


@pytest.mark.parametrize(
    ("found", "missed", "expected"),
    [
        ([True], 0, 1.0),
        ([True], 1, 0.5),
        ([False], 1, 0.0),
        # Points (recall, precision): (0, 1) (0, 0) (1, 1/2): trapezoids of height (0 + 1/2) / 2.
        ([False, True], 0, 0.25),
        # From (0, 1) to (1/2, 1), down to (1/2, 1/2), then to (1, 2/3).
        ([True, False, True], 0, 0.5 + 0.5 * (1 / 2 + 2 / 3) / 2),
        ([True, False, True], 1, 1 / 3 + (1 / 2 + 2 / 3) / 2 / 3),
    ],
)
def test_average_precision_by_hand(found, missed, expected):
    scorer = PanopticScorer(STREET)
    scorer.add("a", *ranked(found, missed))
    scores = scorer.result().as_dict()
    assert scores["per_class"]["car"]["ap"] == pytest.approx(expected)
    assert scores["ap"] == scores["per_class"]["car"]["ap"]
    assert scores["ap50"] == pytest.approx(expected)


def test_without_ap():
    scorer = PanopticScorer(STREET, with_ap=False)
    scorer.add("a", *ranked([True]))
    scores = scorer.result().as_dict()
    assert scores["ap"] is scores["ap50"] is scores["per_class"]["car"]["ap"] is None
    assert scores["pq_things"] == 1.0


def test_nothing_scored_is_none_throughout():
    scores = PanopticScorer(STREET).result().as_dict()
    assert scores["images"] == 0
    assert all(value is None for name, value in scores.items() if name not in ("images", "per_class"))
    assert list(scores["per_class"]) == ["road", "sky", "car", "dog"]


def test_form_of_the_dictionary():
    scorer = PanopticScorer(STREET)
    scorer.add("a", *hand_case())
    scores = scorer.result().as_dict()
    assert list(scores) == [
        "images", "miou", "pq", "sq", "rq", "pq_things", "sq_things", "rq_things", "pq_stuff", "sq_stuff", "rq_stuff",
        "ap", "ap50", "per_class",
    ]  # fmt: skip
    assert list(scores["per_class"]["car"]) == ["iou", "pq", "sq", "rq", "ap", "ap50"]
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


CASES = [random_case(np.random.default_rng(seed), f"image_{seed}", 40, 60, instances=12) for seed in range(6)]


def scorer_of(cases):
    scorer = PanopticScorer(CITYSCAPES)
    for case in cases:
        scorer.add(case.image_id, case.prediction, case.truth, case.semantic_prediction)
    return scorer


def test_order_does_not_matter():
    # So many that sums of floats in another order differ in the last bits.
    cases = [random_case(np.random.default_rng(seed), f"image_{seed}", 24, 32, instances=8) for seed in range(40)]
    expected = scorer_of(cases).result().as_dict()
    assert expected["ap"] is not None
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(cases))
        assert scorer_of([cases[i] for i in order]).result().as_dict() == expected


def test_merged_processes_equal_one():
    expected = scorer_of(CASES).result().as_dict()
    first, second = scorer_of(CASES[:4]), scorer_of(CASES[3:])
    for one, other in ((first, second), (second, first)):
        merged = pickle.loads(pickle.dumps(one))
        merged.merge(pickle.loads(pickle.dumps(other)))
        assert merged.result().as_dict() == expected
    assert first.result().images == 4


def test_merging_copies_that_differ_does_not_depend_on_the_order():
    prediction, truth = hand_case()
    one, other = PanopticScorer(STREET), PanopticScorer(STREET)
    one.add("a", prediction, truth)
    other.add("a", PanopticMap(np.ones((6, 6), np.int32), (Segment(1, ROAD, 1.0),)), truth)
    forth, back = pickle.loads(pickle.dumps(one)), pickle.loads(pickle.dumps(other))
    forth.merge(other)
    back.merge(one)
    assert forth.result().as_dict() == back.result().as_dict()
    assert forth.result().images == 1


def test_an_image_counts_once():
    scorer = PanopticScorer(STREET)
    scorer.add("a", *hand_case())
    with pytest.raises(DataError, match="image a is scored twice"):
        scorer.add("a", *hand_case())


def test_only_equal_settings_merge():
    with pytest.raises(ValueError, match="class table"):
        PanopticScorer(STREET).merge(PanopticScorer(CITYSCAPES))
    with pytest.raises(ValueError, match="with_ap"):
        PanopticScorer(STREET).merge(PanopticScorer(STREET, with_ap=False))


def test_bad_semantic_predictions_name_the_image():
    prediction, truth = hand_case()
    scorer = PanopticScorer(STREET)
    with pytest.raises(DataError, match="image a: the semantic prediction is 6 x 5 and the truth 6 x 6"):
        scorer.add("a", prediction, truth, np.zeros((6, 5), np.uint8))
    with pytest.raises(DataError, match="image a: the semantic prediction holds train id 4"):
        scorer.add("a", prediction, truth, np.full((6, 6), 4, np.uint8))
    assert scorer.result().images == 0


def test_what_is_kept_of_an_image_is_small():
    scorer = scorer_of(CASES)
    assert len(pickle.dumps(scorer)) / len(CASES) < 5000
