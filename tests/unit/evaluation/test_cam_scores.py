"""Scores of CAM label maps on images of a few pixels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.evaluation.street_6x6 import CAR, DOG, ROAD, SKY, STREET
from weakpan.evaluation.cam_scores import count_cam, image_figures, summarise_cams, worst_maps

REAL = np.array([[ROAD, ROAD, ROAD, ROAD], [SKY, SKY, CAR, 255]], np.uint8)
CAM = np.array([[ROAD, ROAD, SKY, 255], [SKY, 255, DOG, ROAD]], np.uint8)
OTHER_REAL = np.array([[ROAD, SKY, 255, 255]], np.uint8)
OTHER_CAM = np.array([[ROAD, ROAD, ROAD, 255]], np.uint8)


@pytest.fixture
def counts():
    return {"b": count_cam(CAM, REAL, STREET), "a": count_cam(OTHER_CAM, OTHER_REAL, STREET)}


def test_pixels_by_class(counts):
    assert counts["b"].tolist() == [[4, 2, 2], [2, 2, 1], [1, 0, 0], [0, 1, 0]]
    assert counts["a"].tolist() == [[1, 2, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_an_image(counts):
    assert image_figures(counts["b"]) == pytest.approx({"labelled": 5 / 7, "precision": 3 / 5, "recall": 3 / 7})


def test_all_pixels_and_means_over_images(counts):
    found = summarise_cams(counts, STREET)
    assert found["images"] == 2
    everything = found["all"]
    means = everything.pop("mean_over_images")
    assert everything == pytest.approx({"labelled": 7 / 9, "precision": 4 / 7, "recall": 4 / 9})
    assert means == pytest.approx(
        {"labelled": (5 / 7 + 1) / 2, "precision": (3 / 5 + 1 / 2) / 2, "recall": (3 / 7 + 1 / 2) / 2}
    )
    road = found["per_class"]["road"]
    means = road.pop("mean_over_images")
    assert road == pytest.approx({"labelled": 4 / 9, "precision": 3 / 4, "recall": 3 / 5})
    assert means == pytest.approx(
        {"labelled": (2 / 7 + 1) / 2, "precision": (1 + 1 / 2) / 2, "recall": (1 / 2 + 1) / 2}
    )


def test_classes_that_are_nowhere_have_no_score(counts):
    found = summarise_cams(counts, STREET)["per_class"]
    car, dog = found["car"], found["dog"]
    assert (car["labelled"], car["precision"], car["recall"]) == (0, None, 0)
    assert (dog["labelled"], dog["precision"], dog["recall"]) == (pytest.approx(1 / 9), 0, None)
    # Only one image has the class, or its label; in the other one its share of the labels is 0.
    assert dog["mean_over_images"] == pytest.approx({"labelled": (0 + 1 / 7) / 2, "precision": 0, "recall": None})


def test_no_image():
    found = summarise_cams({}, STREET)
    assert found["images"] == 0
    assert found["all"] == {
        "labelled": None, "precision": None, "recall": None,
        "mean_over_images": {"labelled": None, "precision": None, "recall": None},
    }  # fmt: skip


def test_worst_maps(counts):
    nothing = count_cam(np.full_like(REAL, 255), REAL, STREET)
    unknown = count_cam(REAL, np.full_like(REAL, 255), STREET)
    found = worst_maps({**counts, "n": nothing, "u": unknown}, 9)
    assert found == [("n", None), ("a", 0.5), ("b", 0.6)]
    assert worst_maps(counts, 1) == [("a", 0.5)]


def test_sizes_that_differ():
    with pytest.raises(ValueError, match="do not match"):
        count_cam(CAM[:1], REAL, STREET)
