"""COCO panoptic files: held against a plain decoder, read back, and refused when they contradict themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.data.formats.coco import (
    MAX_ID,
    CocoImage,
    CocoPanoptic,
    ids_to_rgb,
    rgb_to_ids,
    segment_records,
    write_panoptic_json,
    write_panoptic_png,
)

ROAD, CAR = CITYSCAPES.train_id_named("road"), CITYSCAPES.train_id_named("car")


def two_cars() -> PanopticMap:
    """Ids that need one, two and three channels; the second car is in two pieces."""
    ids = np.zeros((5, 7), np.int32)
    ids[3:] = 7
    ids[1:4, 1:3] = 258
    ids[2, 4] = ids[4, 6] = 65536 * 3 + 1
    segments = (Segment(7, ROAD, 0.75), Segment(258, CAR, 0.5), Segment(196609, CAR, 1 / 3))
    return PanopticMap(ids, segments)


def write(folder: Path, panoptic: PanopticMap) -> Path:
    write_panoptic_png(folder / "panoptic" / "street.png", panoptic)
    image = CocoImage("street", "a/street.jpg", *panoptic.ids.shape, tuple(segment_records(panoptic, CITYSCAPES)))
    write_panoptic_json(folder / "panoptic.json", CITYSCAPES, [image], {"round": 2})
    return folder / "panoptic.json"


def test_colours_follow_the_published_formula(tmp_path: Path) -> None:
    write(tmp_path, two_cars())
    with Image.open(tmp_path / "panoptic" / "street.png") as png:
        assert png.mode == "RGB"
        red, green, blue = np.moveaxis(np.asarray(png).astype(int), -1, 0)
    np.testing.assert_array_equal(red + 256 * green + 256 * 256 * blue, two_cars().ids)
    assert (red[1, 1], green[1, 1], blue[1, 1]) == (2, 1, 0)
    assert (red[2, 4], green[2, 4], blue[2, 4]) == (1, 0, 3)


@given(st.lists(st.integers(0, MAX_ID), min_size=1, max_size=12))
def test_every_id_survives_its_colour(values: list[int]) -> None:
    ids = np.array([values], np.int32)
    np.testing.assert_array_equal(rgb_to_ids(ids_to_rgb(ids)), ids)


@pytest.mark.parametrize("value", [-1, MAX_ID + 1])
def test_an_id_without_a_colour_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        ids_to_rgb(np.array([[3, value]], np.int32))


def test_records_of_a_map_worked_out_by_hand() -> None:
    road, first, second = segment_records(two_cars(), CITYSCAPES)
    assert road == {"id": 7, "category_id": 7, "area": 11, "bbox": [0, 3, 7, 2], "iscrowd": 0, "score": 0.75}
    assert first == {"id": 258, "category_id": 26, "area": 6, "bbox": [1, 1, 2, 3], "iscrowd": 0, "score": 0.5}
    assert second["area"] == 2
    assert second["bbox"] == [4, 2, 3, 3]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_areas_and_boxes_are_those_of_each_mask_alone(seed: int, height: int, width: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 5, (height, width)).astype(np.int32) * 300
    present = [int(i) for i in np.unique(ids) if i]
    panoptic = PanopticMap(ids, tuple(Segment(i, ROAD, 1.0) for i in present))
    for record in segment_records(panoptic, CITYSCAPES):
        rows, columns = np.nonzero(ids == record["id"])
        assert record["area"] == len(rows)
        x, y, wide, tall = record["bbox"]
        assert (x, y, x + wide - 1, y + tall - 1) == (columns.min(), rows.min(), columns.max(), rows.max())


@pytest.mark.parametrize("segments", [(), (Segment(1, ROAD, 1.0), Segment(2, CAR, 1.0))])
def test_a_list_at_odds_with_its_map_is_refused(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match="the map holds segments"):
        segment_records(PanopticMap(np.ones((2, 2), np.int32), segments), CITYSCAPES)


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    reader = CocoPanoptic(write(tmp_path, two_cars()), CITYSCAPES)
    assert reader.ids == ("street",)
    again = reader.read("street")
    np.testing.assert_array_equal(again.ids, two_cars().ids)
    assert again.ids.dtype == np.int32
    assert again.segments == two_cars().segments


def test_an_image_without_any_segment(tmp_path: Path) -> None:
    path = write(tmp_path, PanopticMap(np.zeros((3, 4), np.int32), ()))
    again = CocoPanoptic(path, CITYSCAPES).read("street")
    assert again.ids.shape == (3, 4)
    assert not again.ids.any()
    assert again.segments == ()


def test_the_json_has_the_fields_of_the_format(tmp_path: Path) -> None:
    content = json.loads(write(tmp_path, two_cars()).read_text())
    assert content["images"] == [{"id": "street", "file_name": "a/street.jpg", "height": 5, "width": 7}]
    (annotation,) = content["annotations"]
    assert (annotation["image_id"], annotation["file_name"]) == ("street", "street.png")
    assert len(content["categories"]) == 19
    assert content["categories"][0] == {"id": 7, "name": "road", "isthing": 0, "color": [128, 64, 128]}
    assert {c["id"] for c in content["categories"] if c["isthing"]} == {24, 25, 26, 27, 28, 31, 32, 33}
    assert content["info"] == {"round": 2}


def edited(path: Path, key: str, value: object) -> CocoPanoptic:
    """The file with one field of its first segment changed; None takes the field out."""
    content = json.loads(path.read_text())
    record = content["annotations"][0]["segments_info"][0]
    if value is None:
        del record[key]
    else:
        record[key] = value
    path.write_text(json.dumps(content))
    return CocoPanoptic(path, CITYSCAPES)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("category_id", 4, "category 4 is not in class table 'cityscapes'"),
        ("iscrowd", 1, "segment 7 is a group region"),
        ("id", 9, "segment 7 has no record"),
        ("id", None, r"annotations\[0\]\.segments_info\[0\]\.id \(street\) is missing; write it again, in COCO's"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    reader = edited(write(tmp_path, two_cars()), key, value)
    with pytest.raises(DataError, match=message) as error:
        reader.read("street")
    assert str(tmp_path) in str(error.value)


def test_a_segment_without_a_score_gets_one(tmp_path: Path) -> None:
    assert edited(write(tmp_path, two_cars()), "score", None).read("street").segments[0].score == 1.0


def test_a_record_without_pixels_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, two_cars())
    Image.fromarray(ids_to_rgb(np.where(two_cars().ids == 258, 7, two_cars().ids))).save(
        tmp_path / "panoptic" / "street.png"
    )
    with pytest.raises(DataError, match="segment 258 does not occur in the PNG"):
        CocoPanoptic(path, CITYSCAPES).read("street")


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}'])
def test_another_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "panoptic.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"panoptic\.json"):
        CocoPanoptic(path, CITYSCAPES).ids  # noqa: B018


def test_missing_files_and_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        CocoPanoptic(tmp_path / "panoptic.json", CITYSCAPES).ids  # noqa: B018
    reader = CocoPanoptic(write(tmp_path, two_cars()), CITYSCAPES)
    with pytest.raises(DataError, match="no annotation of image lane"):
        reader.read("lane")
    (tmp_path / "panoptic" / "street.png").unlink()
    with pytest.raises(DataError, match=r"street\.png: no such image"):
        reader.read("street")
