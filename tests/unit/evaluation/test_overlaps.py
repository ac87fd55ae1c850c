"""Pixel counts of pairs of segments."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment
from weakpan.evaluation.overlaps import distinct_pixels, label_overlaps, prediction_overlaps

CAR = TOY_CITY.train_id_named("car")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    spread=st.sampled_from([1, 3, 300, 2**31 - 1]),
    lowest=st.sampled_from([0, -1]),
)
def test_distinct_pixels_counts_like_a_loop(seed, size, spread, lowest):
    rng = np.random.default_rng(seed)
    maps = [
        rng.integers(0, 3, size).astype(np.uint8),
        rng.integers(lowest, spread, size).astype(np.int32),
        rng.integers(0, 2, size).astype(np.int32)[::-1],
    ]
    columns, pixels = distinct_pixels(*maps)
    expected = Counter(zip(*(m.ravel().tolist() for m in maps), strict=True))
    found = list(zip(*(c.tolist() for c in columns), strict=True))
    assert len(found) == len(set(found))
    assert dict(zip(found, pixels.tolist(), strict=True)) == expected


def test_rows_that_continue_each_other_are_one_run():
    columns, pixels = distinct_pixels(np.full((3, 4), 7))
    assert columns[0].tolist() == [7]
    assert pixels.tolist() == [12]


def truth_of(semantic, instances):
    return PanopticTruth(np.array(semantic, np.uint8), np.array(instances, np.int32))


def test_segments_of_the_truth():
    # Stuff is one segment whatever its instance numbers; numbers of things repeat between classes.
    truth = truth_of([[0, 0, CAR, CAR, CAR, 7, 255, 255]], [[0, 5, 0, 1, 2, 1, 0, 3]])
    prediction = PanopticMap(
        np.array([[9, 9, 9, 0, 0, 0, 70000000, 9]], np.int32), (Segment(9, 0, 1.0), Segment(70000000, CAR, 0.5))
    )
    overlaps = prediction_overlaps("a", prediction, truth, TOY_CITY)
    rows = list(zip(overlaps.truth_class.tolist(), overlaps.truth_number.tolist(), strict=True))
    columns = list(zip(overlaps.predicted_class.tolist(), overlaps.predicted_number.tolist(), strict=True))
    assert sorted(rows) == [(0, 0), (7, 1), (CAR, 0), (CAR, 1), (CAR, 2), (255, 0), (255, 3)]
    assert sorted(columns) == [(0, 9), (CAR, 70000000), (255, 0)]
    table = overlaps.pixels
    assert table[rows.index((0, 0)), columns.index((0, 9))] == 2
    assert table[rows.index((CAR, 1)), columns.index((255, 0))] == 1
    assert table[rows.index((255, 0)), columns.index((CAR, 70000000))] == 1
    assert table.sum() == 8


def test_numbers_of_stuff_labels_are_dropped():
    truth = truth_of([[0, 0, 0, 0]], [[0, 0, 0, 0]])
    overlaps = label_overlaps(
        "a", np.array([[0, 0, CAR, 255]], np.uint8), np.array([[1, 2, 3, -1]], np.int32), truth, TOY_CITY
    )
    columns = zip(overlaps.predicted_class.tolist(), overlaps.predicted_number.tolist(), strict=True)
    assert sorted(columns) == [(0, 0), (CAR, 3), (255, 0)]


@pytest.mark.parametrize(
    ("ids", "segments", "message"),
    [
        ([[1, 1, 1]], (Segment(1, 0, 1.0),), "prediction is 1 x 3 and the truth 1 x 2"),
        ([[1, 2]], (Segment(1, 0, 1.0),), "segment 2 is in the map and not listed"),
        ([[1, 1]], (Segment(1, 0, 1.0), Segment(3, 0, 1.0)), "segment 3 is listed and has no pixel"),
        ([[1, 1]], (Segment(1, 0, 1.0), Segment(1, 0, 1.0)), "twice"),
        ([[1, 1]], (Segment(1, 11, 1.0),), "train id 11"),
        ([[-1, 1]], (Segment(1, 0, 1.0),), "segment -1"),
    ],
)
def test_bad_predictions_name_the_image(ids, segments, message):
    with pytest.raises(DataError, match=message) as error:
        prediction_overlaps(
            "frame_7", PanopticMap(np.array(ids, np.int32), segments), truth_of([[0, 0]], [[0, 0]]), TOY_CITY
        )
    assert "image frame_7" in str(error.value)


def test_truth_maps_must_agree():
    prediction = PanopticMap(np.ones((1, 2), np.int32), (Segment(1, 0, 1.0),))
    with pytest.raises(DataError, match="instance map of the truth is 2 x 1"):
        prediction_overlaps("a", prediction, truth_of([[0, 0]], [[0], [0]]), TOY_CITY)
    with pytest.raises(DataError, match="truth holds train id 200"):
        prediction_overlaps("a", prediction, truth_of([[0, 200]], [[0, 0]]), TOY_CITY)
