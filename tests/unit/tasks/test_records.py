"""Records of images: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest

from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.formats.released import ReleasedTree
from weakpan.masks.result import BoxRecord, Fallback
from weakpan.storage.records import JsonRecords, checksum
from weakpan.tasks.mask_records import read_box_records, write_box_records
from weakpan.tasks.stores import ReleasedStores

CAR, PERSON = TOY_CITY.train_id_named("car"), TOY_CITY.train_id_named("person")
BOXES = (Box(0, 0, 0, 9, 9, BoxKind.STUFF), Box(CAR, 1, 2, 8, 9), Box(PERSON, 3, 3, 4, 4))
FOUND = (
    BoxRecord(1, CAR, 30, 40, 0.7, 0.55, Fallback.NOT_NEEDED, network_area=12),
    BoxRecord(2, PERSON, 0, 0, 0.0, 0.0, Fallback.SMALL_BOX),
)


@pytest.fixture
def records(tmp_path):
    records = ReleasedStores(ReleasedTree(tmp_path, "train", TOY_CITY)).mask_records
    write_box_records(records, "a", BOXES, FOUND, TOY_CITY)
    return records


def test_they_come_back(records):
    assert read_box_records(records, "a", TOY_CITY) == list(FOUND)


def test_the_file_is_as_documented(records, tmp_path):
    path = tmp_path / "mcg_and_grabcut_records/train/a.json"
    assert records.path("a") == path
    assert json.loads(path.read_text()) == {
        "format": "weakpan-mask-records", "version": 1, "id": "a",
        "boxes": [
            {"index": 1, "class": "car", "box": [1, 2, 8, 9], "grabcut_area": 30, "proposal_area": 40,
             "agreement": 0.7, "network_area": 12, "cover": 0.55, "fallback": "not needed"},
            {"index": 2, "class": "person", "box": [3, 3, 4, 4], "grabcut_area": 0, "proposal_area": 0,
             "agreement": 0.0, "network_area": 0, "cover": 0.0, "fallback": "small box"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version=2), "'version': 2"),
        (lambda c: c.update(format="weakpan-manifest"), "weakpan-manifest"),
        (lambda c: c.update(id="b"), "'id': 'b'"),
        (lambda c: c["boxes"][0].pop("fallback"), "boxes[0].fallback is missing"),
        (lambda c: c["boxes"][0].update(fallback="tired"), 'boxes[0].fallback is "tired"; expected'),
        (lambda c: c["boxes"][0].update({"class": "tram"}), "class 'tram' is not in class table"),
        (lambda c: c["boxes"][0].update(more=1), "boxes[0].more is 1; expected"),
        (lambda c: c.update(boxes=7), "boxes is 7; expected a valid array"),
    ],
)
def test_others_are_refused_by_name(records, change, message):
    content = json.loads(records.path("a").read_text())
    change(content)
    records.path("a").write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        read_box_records(records, "a", TOY_CITY)
    assert message in str(caught.value)
    assert "a.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1]", '{"format": "weakpan-mask-re'])
def test_damaged_ones_are_not_there(records, content):
    assert records.has("a")
    records.path("a").write_text(content)
    assert not records.has("a")
    with pytest.raises(DataError, match=r"a\.json: .*run stage=masks again"):
        records.read("a")


def test_missing_ones(records):
    assert not records.has("b")
    with pytest.raises(DataError, match=r"b\.json: no such file; run stage=masks again"):
        records.read("b")


@pytest.mark.parametrize("image_id", ["../a", "", ".."])
def test_ids_cannot_leave_the_folder(records, image_id):
    with pytest.raises(DataError, match="no plain file name"):
        records.write(image_id, {})


def test_numbers_that_json_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        JsonRecords(tmp_path, "test", "masks").write("a", {"iou": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_checksum_tells_files_apart(tmp_path):
    (tmp_path / "a").write_bytes(b"123456789")
    assert checksum(tmp_path / "a") == 0xCBF43926  # the check value of CRC-32
    assert checksum(tmp_path / "b") is None
