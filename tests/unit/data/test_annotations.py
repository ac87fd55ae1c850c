"""The weak-annotation file: what is written comes back, and what is wrong is named."""

import json

import pytest

from weakpan.basics.catalog import CAMVID, CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations, read_weak_annotations
from weakpan.data.crops import CropGrid

CAR, SKY = CITYSCAPES.train_id_named("car"), CITYSCAPES.train_id_named("sky")
BOXES = (
    Box(SKY, 0, 0, 9, 7, BoxKind.STUFF),
    Box(CAR, 2, 3, 2, 3, BoxKind.GROUP),
    Box(CAR, 4, 0, 9, 7, BoxKind.INSTANCE),
)


@pytest.fixture
def annotations():
    image = ImageAnnotation("a.b", 8, 10, BOXES, (frozenset({SKY, CAR}), frozenset()))
    return WeakAnnotations(CITYSCAPES, CropGrid(8, 6), {"a.b": image})


@pytest.fixture
def path(tmp_path, annotations):
    annotations.write(tmp_path / "weak.json")
    return tmp_path / "weak.json"


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_annotations_come_back(path, annotations):
    assert read_weak_annotations(path, CITYSCAPES) == annotations


def test_boxes_are_inclusive():
    assert [b.area for b in BOXES] == [80, 1, 48]
    assert BOXES[2].slices == (slice(0, 8), slice(4, 10))


def test_image_tags_are_those_of_all_tiles(annotations):
    assert annotations.images["a.b"].image_tags == {SKY, CAR}


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"format": "coco"}', "\udcff"])
def test_what_is_no_such_file_is_named(tmp_path, text):
    path = tmp_path / "weak.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"weak\.json: not "):
        read_weak_annotations(path, CITYSCAPES)


def test_a_missing_file_names_the_key(tmp_path):
    with pytest.raises(DataError, match=r"none\.json.*data\.weak_annotations"):
        read_weak_annotations(tmp_path / "none.json", CITYSCAPES)


def test_another_class_table_is_refused(path):
    with pytest.raises(DataError, match=r"weak\.json: made with classes road, .*data\.classes=camvid"):
        read_weak_annotations(path, CAMVID)
    change(path, lambda c: c["classes"][0].update(thing=True))
    with pytest.raises(DataError, match="things and stuff"):
        read_weak_annotations(path, CITYSCAPES)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(version=2), "version 2, this weakpan reads version 1"),
        (lambda c: c.pop("crop"), "damaged header.*crop"),
        (lambda c: c["crop"].update(width=0), "damaged header.*found 0"),
        (lambda c: c.update(images=c["images"] * 2), "a.b occurs twice"),
        (lambda c: c["images"][0].update(id="x/y"), "x/y.*without folder"),
        (lambda c: c["images"][0].update(height=-8), r"image 0 \(a.b\).*found -8"),
        (lambda c: c["images"][0]["tags"].pop(), r"image 0 \(a.b\): 1 lists of tags; a 8 x 10 image has 2 tiles"),
        (lambda c: c["images"][0]["tags"][0].append("cow"), r"a\.b.*class 'cow' is not in"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, 0, 10, 7]), r"a\.b.*car box \[4, 0, 10, 7\].*outside"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, -1, 9, 7]), r"a\.b.*outside its 10 x 8 image"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[5, 0, 4, 7]), r"a\.b.*is empty"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4.0, 0, 9, 7]), r"a\.b.*four whole numbers"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, 0, 9]), r"a\.b.*four whole numbers"),
        (lambda c: c["images"][0]["boxes"][2].update(kind="blob"), r"a\.b.*blob"),
        (lambda c: c["images"][0]["boxes"][0].update(kind="instance"), r"a\.b.*sky box cannot be of kind instance"),
        (lambda c: c["images"][0]["boxes"][2].update(kind="stuff"), r"a\.b.*car box cannot be of kind stuff"),
        (lambda c: c["images"][0].pop("boxes"), r"a\.b.*damaged entry.*boxes"),
    ],
)
def test_a_wrong_entry_names_file_and_image(path, edit, message):
    change(path, edit)
    with pytest.raises(DataError, match=message) as caught:
        read_weak_annotations(path, CITYSCAPES)
    assert "weak.json" in str(caught.value)
    assert str(caught.value).count("weak.json") == 1
