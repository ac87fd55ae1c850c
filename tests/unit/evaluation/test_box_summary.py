"""Tables of many boxes: which box goes where, and what is a mean over boxes and what over pixels."""

from __future__ import annotations

import math

import pytest

from weakpan.data.annotations import Box
from weakpan.evaluation.box_scores import ELLIPSE, MASK, PERFECT, WHOLE_BOX, BoxScore, PixelCounts
from weakpan.evaluation.box_summary import AuditedBox, summarise_boxes, summarise_counts, worst_boxes, worst_images

GOOD, POOR, NONE = PixelCounts(10, 10, 9, 10), PixelCounts(100, 20, 10, 50), PixelCounts(0, 5, 0, 0)


def box(image_id, class_name, side, mask, fallback="not needed", index=0):
    counts = {} if mask is None else {MASK: mask, ELLIPSE: GOOD, WHOLE_BOX: POOR, PERFECT: GOOD}
    return AuditedBox(image_id, class_name, BoxScore(index, Box(0, 0, 0, side - 1, side - 1), counts), fallback, 0.5)


BOXES = [
    box("a", "car", 31, GOOD), box("a", "car", 32, POOR, index=1), box("a", "dog", 96, NONE, "small box", index=2),
    box("b", "dog", 95, None), box("b", "dog", 10, GOOD, index=1),
]  # fmt: skip


def test_figures_by_hand():
    found = summarise_counts([GOOD, POOR, NONE])
    expected = {
        "iou": (9 / 11 + 10 / 110 + 0) / 3, "precision": (0.9 + 0.1) / 2, "recall": (0.9 + 0.5 + 0) / 3,
        "instance_precision": 19 / 110, "class_precision": 60 / 110, "pixel_recall": 19 / 35,
    }  # fmt: skip
    assert found == pytest.approx(expected)


def test_nothing_can_be_said():
    assert set(summarise_counts([]).values()) == {None}
    found = summarise_counts([NONE])
    assert (found["iou"], found["recall"], found["pixel_recall"]) == (0, 0, 0)
    assert (found["precision"], found["instance_precision"], found["class_precision"]) == (None, None, None)


def test_groups():
    found = summarise_boxes(BOXES, ["dog", "bus", "car"])
    assert list(found) == ["all", "by_class", "by_size", "by_fallback"]
    counts = {
        (key, name): (group["boxes"], group["boxes_without_real_instance"])
        for key in ("by_class", "by_size", "by_fallback")
        for name, group in found[key].items()
    }
    assert counts == {
        ("by_class", "dog"): (3, 1), ("by_class", "car"): (2, 0),
        # Below 32 x 32, below 96 x 96, and from there on.
        ("by_size", "small"): (2, 0), ("by_size", "medium"): (2, 1), ("by_size", "large"): (1, 0),
        ("by_fallback", "not needed"): (4, 1), ("by_fallback", "small box"): (1, 0),
    }  # fmt: skip
    assert list(found["by_class"]) == ["dog", "car"]
    assert (found["all"]["boxes"], found["all"]["boxes_without_real_instance"]) == (5, 1)
    assert found["all"][MASK] == summarise_counts([GOOD, POOR, NONE, GOOD])
    assert found["by_class"]["car"][MASK] == summarise_counts([GOOD, POOR])
    assert found["by_class"]["car"][ELLIPSE] == summarise_counts([GOOD, GOOD])
    assert found["by_class"]["dog"][WHOLE_BOX] == summarise_counts([POOR, POOR])


def test_worst_boxes_first_and_large_ones_before_small_ones():
    ties = [box("c", "car", 5, NONE, index=4), box("a", "car", 5, NONE, index=7), box("a", "car", 5, NONE, index=3)]
    found = worst_boxes([*BOXES, *ties], 6)
    assert [(b.image_id, b.score.index) for b in found] == [("a", 2), ("a", 3), ("a", 7), ("c", 4), ("a", 1), ("a", 0)]
    assert worst_boxes(BOXES, 1) == [BOXES[2]]


def test_worst_images():
    (first, iou), (second, other) = worst_images(BOXES, 5)
    assert (first, second) == ("a", "b")
    assert math.isclose(iou, (9 / 11 + 1 / 11) / 3)
    assert math.isclose(other, 9 / 11)
    assert worst_images([box("b", "dog", 9, None)], 5) == []
