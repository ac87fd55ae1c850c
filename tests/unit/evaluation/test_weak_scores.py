"""What boxes and tags alone say of predictions."""

import math

import numpy as np
import pytest

from tests.unit.labels.label_cases import catalog_of
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.evaluation.weak_scores import WeakScorer, match_boxes

CATALOG = catalog_of(False, False, True)


def predicted(*areas, size=(60, 80)):
    """Rectangles (top, left, bottom, right, score) of things over stuff."""
    ids, segments = np.ones(size, np.int32), [Segment(1, 0, 1.0)]
    for number, (top, left, bottom, right, score) in enumerate(areas, start=2):
        ids[top:bottom, left:right] = number
        segments.append(Segment(number, 2, score))
    return PanopticMap(ids, tuple(segments))


def box(top, left, bottom, right, kind=BoxKind.INSTANCE):
    return Box(2, left, top, right - 1, bottom - 1, kind)


def entry(*boxes, tags=(frozenset({0, 2}),), name="a"):
    return ImageAnnotation(name, 60, 80, boxes, tags)


def scored(*images):
    scorer = WeakScorer(CATALOG)
    for annotation, prediction in images:
        crops = len(annotation.tags)
        scorer.add(annotation, np.zeros((crops, 3), np.float32), np.zeros((crops, 3), bool), (1.0, 2), prediction)
    return scorer.result()


def test_boxes_that_fit_are_found():
    result = scored(
        (entry(box(5, 5, 25, 30), box(30, 40, 55, 70)), predicted((5, 5, 25, 30, 0.9), (30, 40, 55, 70, 0.8)))
    )
    assert result.means["box_ap"] == pytest.approx(1)
    assert result.per_class["class2"]["box_ap50"] == pytest.approx(1)
    assert math.isnan(result.per_class["class0"]["box_ap"])


def test_a_box_is_found_once_by_the_surest_prediction():
    # Two halves of one thing: the box of either overlaps half of it at most.
    halves = match_boxes(predicted((5, 5, 25, 17, 0.9), (5, 17, 25, 30, 0.8)), [box(5, 5, 25, 30)], CATALOG)
    assert halves.right.sum() == 1  # 13 of 25 columns, at the threshold .5
    assert halves.right[1, 0]
    # One inside the other: both boxes fit at .5.
    nested = match_boxes(predicted((5, 5, 25, 30, 0.7), (6, 6, 24, 29, 0.9)), [box(5, 5, 25, 30)], CATALOG)
    assert nested.scores.tolist() == [0.9, 0.7]
    assert nested.right[0, 0]
    assert not nested.right[1, 0]
    assert nested.truths.tolist() == [0, 0, 1]


def test_a_wrong_box_costs_more_the_surer_it_is():
    annotation = entry(box(5, 5, 25, 30))
    first, second = (
        scored((annotation, predicted((5, 5, 25, 30, 0.8), (30, 40, 55, 70, score)))).means["box_ap"]
        for score in (0.9, 0.1)
    )
    assert first < second == pytest.approx(1)


def test_nobody_asks_for_crowds_and_tiny_boxes_or_blames_who_finds_them():
    crowd, tiny = box(0, 0, 60, 40, BoxKind.GROUP), box(50, 60, 58, 70)
    real = box(5, 45, 25, 75)
    found = predicted((5, 45, 25, 75, 0.5), (10, 10, 30, 30, 0.9), (50, 60, 58, 70, 0.8))
    assert scored((entry(crowd, tiny, real), found)).means["box_ap"] == pytest.approx(1)
    assert scored((entry(real), found)).means["box_ap"] < 0.6


def test_tags_are_told_by_what_is_likely_and_by_what_was_predicted():
    scorer = WeakScorer(CATALOG)
    tags = (frozenset({0}), frozenset({0, 1}), frozenset({1}))
    peaks = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.15, 0]], np.float32)
    has = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0]], bool)
    scorer.add(entry(tags=tags), peaks, has, (3.0, 6), predicted())
    result = scorer.result()
    assert result.per_class["class0"] == pytest.approx(
        {"tag_ap": 1, "tags_satisfied": 1, "tags_true": 2 / 3, "box_ap": math.nan, "box_ap50": math.nan}, nan_ok=True
    )
    assert result.per_class["class1"]["tags_satisfied"] == 0.5
    assert result.per_class["class1"]["tag_ap"] == 1
    assert result.means["candidate_loss"] == 0.5
    assert math.isnan(result.per_class["class2"]["tag_ap"])


def test_the_order_of_images_and_of_merging_does_not_matter():
    images = [
        (entry(box(5, 5, 25, 30), name=name), predicted((5, 5 + shift, 25, 30 + shift, 0.5 + shift / 50)))
        for name, shift in (("a", 0), ("b", 3), ("c", 20))
    ]
    whole = scored(*images)
    parts = []
    for annotation, prediction in reversed(images):
        parts.append(WeakScorer(CATALOG))
        parts[-1].add(annotation, np.zeros((1, 3), np.float32), np.zeros((1, 3), bool), (1.0, 2), prediction)
    for part in parts[1:]:
        parts[0].merge(part)
    assert parts[0].result().as_dict() == whole.as_dict()
    assert 0 < whole.means["box_ap"] < 1


def test_without_images_there_are_no_scores():
    found = WeakScorer(CATALOG).result().as_dict()
    assert found["images"] == 0
    assert found["box_ap"] is None
    assert found["candidate_loss"] is None


def test_an_image_is_scored_once():
    with pytest.raises(DataError, match="scored twice"):
        scored((entry(), predicted()), (entry(), predicted()))
