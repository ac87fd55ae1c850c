"""A folder of maps, and manifests."""

import json

import numpy as np
import pytest

from weakpan.basics.errors import DataError, RunError
from weakpan.storage.images import write_png
from weakpan.storage.map_store import MapStore, read_manifest, refuse_changed_settings, write_manifest


@pytest.fixture
def store(tmp_path):
    return MapStore(tmp_path / "maps")


def test_maps_come_back(store):
    values = np.array([[0, 254, 255]], np.uint8)
    store.write("a.b", values)
    assert store.path("a.b").is_file()
    np.testing.assert_array_equal(store.read("a.b"), values)


@pytest.mark.parametrize("image_id", ["../a", "a/b", "", ".", ".."])
def test_ids_do_not_lead_out_of_the_folder(store, image_id):
    with pytest.raises(DataError, match="no plain file name"):
        store.write(image_id, np.zeros((1, 1), np.uint8))


def test_another_depth_is_refused(store):
    write_png(store.path("a"), np.zeros((2, 2), np.uint16))
    with pytest.raises(DataError, match=r"a\.png: expected 8 bits, found uint16"):
        store.read("a")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"version": 2}'])
def test_a_manifest_that_is_missing_damaged_or_too_new_is_named(tmp_path, text):
    path = tmp_path / "manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json"):
        read_manifest(path)


def test_changed_settings_name_the_keys(tmp_path):
    path = tmp_path / "stage" / "manifest.json"
    old = {"a.b": 1, "c": [1, 2], "gone": "x"}
    write_manifest(path, {"settings": old})
    sealed = read_manifest(path)["settings"]
    # A tuple is a list once it went through a file.
    refuse_changed_settings(path, sealed, {**old, "c": (1, 2)})
    with pytest.raises(RunError) as caught:
        refuse_changed_settings(path, sealed, {"a.b": 2, "c": [1, 2], "new": None, "more": 5})
    message = str(caught.value)
    for part in ("stage", "a.b: 1 then, 2 now", "gone: 'x' then, absent now", "more: absent then, 5 now"):
        assert part in message
    assert "a setting that is absent" in message
    assert "c:" not in message


def test_a_refusal_names_few_settings_and_of_another_object_only_its_class(tmp_path):
    sealed = {"loss._target_": "a.B", "loss.weight": 1, "loss.of": None, "x": 1, "y": None, "z": 1, "zz": 1}
    with pytest.raises(RunError) as caught:
        refuse_changed_settings(tmp_path / "s.json", sealed, {"loss._target_": "a.C", "loss.share": 2, "y": 2})
    message = str(caught.value)
    assert "(loss._target_: 'a.B' then, 'a.C' now; y: null then, 2 now; x: 1 then, absent now; 2 more)" in message


def test_manifests_are_plain_json(tmp_path):
    write_manifest(tmp_path / "m.json", {"record": {"x": 0.5}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"version": 1, "record": {"x": 0.5}}
