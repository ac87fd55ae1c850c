"""Class tables of JSON files."""

import json

import numpy as np
import pytest

from weakpan.basics.errors import DataError
from weakpan.storage.class_table import load_catalog

CLASSES = [
    {"name": "ground", "dataset_id": 1, "color": [0, 9, 0], "thing": False},
    {"name": "cow", "dataset_id": 5, "color": [9, 0, 0], "thing": True},
]


def test_a_table_from_json(tmp_path):
    path = tmp_path / "two.json"
    content = {"name": "two", "classes": CLASSES, "ignored_dataset_ids": [0]}
    path.write_text(json.dumps(content))
    table = load_catalog(str(path))
    assert (table.names, table.thing_ids) == (("ground", "cow"), (1,))
    assert table.to_train_ids(np.array([[0, 1, 5]]), "x")[0].tolist() == [255, 0, 1]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("color", [0, 0], "classes[1].color[2] (cow) is missing"),
        ("color", [0, 0, 256], "classes[1].color[2] (cow) is 256; expected less than or equal to 255"),
        ("dataset_id", 255, "classes[1].dataset_id (cow) is 255; expected less than or equal to 254"),
        ("dataset_id", "5", 'classes[1].dataset_id (cow) is "5"; expected a valid integer'),
        ("dataset_id", 1, "dataset_id 1 occurs twice"),
        ("thing", "false", 'classes[1].thing (cow) is "false"; expected a valid boolean'),
        ("thing", 0, "classes[1].thing (cow) is 0; expected a valid boolean"),
        ("name", "ground", "name ground occurs twice"),
    ],
)
def test_a_damaged_row_is_named(tmp_path, key, value, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"name": "bad", "classes": [CLASSES[0], {**CLASSES[1], key: value}]}))
    with pytest.raises(DataError) as caught:
        load_catalog(str(path))
    assert message in str(caught.value)
    assert caught.value.path == path


@pytest.mark.parametrize(("classes", "message"), [(3, "classes is 3; expected a valid array"), ([], "has 0 classes")])
def test_a_table_without_classes(tmp_path, classes, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"name": "bad", "classes": classes}))
    with pytest.raises(DataError, match=message):
        load_catalog(str(path))


def test_an_unknown_table_lists_the_known_ones():
    with pytest.raises(DataError, match="camvid, cityscapes, toy_city") as caught:
        load_catalog("nowhere")
    assert (caught.value.key, caught.value.found) == ("data.classes", "nowhere")
