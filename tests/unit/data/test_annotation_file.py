"""The weak-annotation file: what is written comes back, and what is wrong is named with its place."""

import json
from pathlib import Path

import pytest

from tests.unit.data.tiny_tree import write_weak
from weakpan.basics.catalog import CAMVID, CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import FORMAT, json_schema, read_weak_annotations
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid

SCHEMA = Path(__file__).parents[3] / "docs" / "weak_annotations.schema.json"
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
    write_weak(tmp_path / "weak.json", annotations)
    return tmp_path / "weak.json"


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_annotations_come_back(path, annotations):
    assert read_weak_annotations(path, CITYSCAPES) == annotations


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_of_windows(path, annotations, encoding):
    path.write_text(path.read_text(), encoding=encoding)
    assert read_weak_annotations(path, CITYSCAPES) == annotations


def test_whole_numbers_with_a_point(path, annotations):
    change(path, lambda c: c["images"][0]["boxes"][2].update(box=[4.0, 0, 9.0, 7]))
    change(path, lambda c: c["images"][0].update(height=8.0))
    found = read_weak_annotations(path, CITYSCAPES)
    assert found == annotations
    assert type(found.images["a.b"].boxes[2].xmin) is int


def test_the_published_schema_is_that_of_the_models():
    assert SCHEMA.read_text() == json_schema()


def test_the_published_schema_says_what_the_reader_checks():
    schema = json.loads(SCHEMA.read_text())
    box, image = (schema["$defs"][name]["properties"] for name in ("BoxEntry", "ImageEntry"))
    assert box["box"]["prefixItems"] == [{"minimum": 0, "type": "integer"}] * 4
    assert image["height"]["minimum"] == 1
    assert image["tags"]["items"] == {"items": {"type": "string"}, "type": "array"}
    assert schema["properties"]["format"]["const"] == FORMAT
    assert schema["required"] == ["format", "version", "classes", "crop", "images"]


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"format": "coco"}', "\udcff", "[" * 100_000])
def test_what_is_no_such_file_is_named(tmp_path, text):
    path = tmp_path / "weak.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as caught:
        read_weak_annotations(path, CITYSCAPES)
    assert caught.value.path == path
    assert "data.weak_annotations" in caught.value.remedy


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
        (lambda c: c.update(version=2), "version is 2; expected 1"),
        (lambda c: c.update(format="coco"), "format is \"coco\"; expected 'weakpan-weak-annotations'"),
        (lambda c: c.pop("crop"), "crop is missing"),
        (lambda c: c["crop"].update(width=0), "crop.width is 0; expected greater than or equal to 1"),
        (lambda c: c["classes"][0].update(thing="false"), 'classes[0].thing (road) is "false"; expected a valid bool'),
        (lambda c: c.update(images=c["images"] * 2), "a.b occurs twice"),
        (lambda c: c["images"][0].update(id="x/y"), "'x/y' is no plain file name"),
        (lambda c: c["images"][0].update(height=-8), "images[0].height (a.b) is -8"),
        (lambda c: c["images"][0].update(height="8"), 'images[0].height (a.b) is "8"; expected a valid integer'),
        (lambda c: c["images"][0]["tags"].pop(), "images[0] (a.b): 1 lists of tags; a 8 x 10 image has 2 crops"),
        (lambda c: c["images"][0]["tags"][0].append("cow"), "images[0] (a.b): tags: class 'cow' is not in"),
        (lambda c: c["images"][0].update(tags=["car"]), 'images[0].tags[0] (a.b) is "car"; expected a valid array'),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, 0, 10, 7]), "boxes[2]: car box [4, 0, 10, 7] is empty or"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, -1, 9, 7]), "images[0].boxes[2].box[1] (a.b) is -1"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[5, 0, 4, 7]), "outside its 10 x 8 image"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4.5, 0, 9, 7]), "images[0].boxes[2].box[0] (a.b) is 4.5"),
        (lambda c: c["images"][0]["boxes"][2].update(box=[4, 0, 9]), "images[0].boxes[2].box[3] (a.b) is missing"),
        (lambda c: c["images"][0]["boxes"][2].update(box=None), "images[0].boxes[2].box (a.b) is null"),
        (lambda c: c["images"][0]["boxes"][2].update(kind="blob"), 'images[0].boxes[2].kind (a.b) is "blob"'),
        (lambda c: c["images"][0]["boxes"][2].update({"class": "cow"}), "images[0] (a.b): boxes[2]: class 'cow'"),
        (lambda c: c["images"][0]["boxes"][0].update(kind="instance"), "a sky box cannot be of kind instance"),
        (lambda c: c["images"][0]["boxes"][2].update(kind="stuff"), "a car box cannot be of kind stuff"),
        (lambda c: c["images"][0].pop("boxes"), "images[0].boxes (a.b) is missing"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(path, edit, message):
    change(path, edit)
    with pytest.raises(DataError) as caught:
        read_weak_annotations(path, CITYSCAPES)
    assert message in str(caught.value)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("weak.json") == 1
