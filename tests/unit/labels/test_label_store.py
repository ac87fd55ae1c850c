"""Label files: encoding, atomic writing, sealing."""

import json

import numpy as np
import pytest

from weakpan.basics.errors import DataError, RunError
from weakpan.labels.encode import from_png16, to_png16, to_released_8bit
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.storage.images import write_png

MANIFEST = {"ids": ["a", "b.c"], "settings_hash": "abc", "checkpoint": None}


def labels_of(seed):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([0, 1, 18, 255], (7, 11)).astype(np.uint8)
    return PseudoLabels(semantic, rng.choice([-1, 0, 1, 255, 300, 65534], (7, 11)).astype(np.int32))


@pytest.fixture
def store(tmp_path):
    store = LabelStore(tmp_path / "round_00" / "labels")
    for seed, image_id in enumerate(MANIFEST["ids"]):
        store.write(image_id, labels_of(seed))
    return store


def test_16_bit_codes_come_back():
    instances = np.array([[-1, 0, 255, 65534]], np.int32)
    assert to_png16(instances).tolist() == [[65535, 0, 255, 65534]]
    np.testing.assert_array_equal(from_png16(to_png16(instances)), instances)
    assert from_png16(to_png16(instances)).dtype == np.int32


@pytest.mark.parametrize("value", [65535, -2])
def test_16_bit_refuses_what_it_cannot_hold(value):
    with pytest.raises(DataError, match=f"instance id {value} .*16-bit PNG"):
        to_png16(np.array([[0, value]], np.int32))


def test_released_8_bit_codes():
    assert to_released_8bit(np.array([[-1, 0, 254]], np.int32)).tolist() == [[255, 0, 254]]
    with pytest.raises(DataError, match=r"instance id 255 .*-1 to 254"):
        to_released_8bit(np.array([[255]], np.int32))


def test_labels_come_back(store):
    assert store.has("b.c")
    assert not store.has("b")
    labels, expected = store.read("b.c"), labels_of(1)
    np.testing.assert_array_equal(labels.semantic, expected.semantic)
    np.testing.assert_array_equal(labels.instances, expected.instances)
    assert (labels.semantic.dtype, labels.instances.dtype) == (np.uint8, np.int32)


def test_half_an_image_is_not_there(store):
    store.instances_path("a").unlink()
    assert not store.has("a")
    with pytest.raises(DataError, match=r"a_instances\.png: no such label map"):
        store.read("a")


def test_crash_while_writing_leaves_no_half_image(store, monkeypatch):
    def fail(path, values):
        if path.name.endswith("_semantic.png"):
            raise OSError("disk full")
        write_png(path, values)

    monkeypatch.setattr("weakpan.labels.store.write_png", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write("new", labels_of(3))
    assert not store.has("new")


@pytest.mark.parametrize("image_id", ["", ".", "..", "../a", "/etc/a", "x/y", "x\\y", "a\0"])
def test_ids_cannot_leave_the_folder(store, image_id):
    for action in (store.has, store.read, lambda i: store.write(i, labels_of(0))):
        with pytest.raises(DataError, match="no plain file name"):
            action(image_id)


def test_sealed_store_tells_what_it_is(store):
    assert not store.is_sealed()
    store.seal({**MANIFEST, "weakpan": "0.1.0"})
    assert store.is_sealed()
    manifest = store.manifest()
    assert manifest["format"] == "weakpan-pseudo-labels"
    assert {k: manifest[k] for k in MANIFEST} == MANIFEST
    assert manifest["weakpan"] == "0.1.0"
    store.verify(["b.c"])
    store.verify(MANIFEST["ids"])
    assert not [p for p in store.folder.iterdir() if p.name.startswith(".")]


def test_sealed_store_cannot_be_changed(store):
    store.seal(MANIFEST)
    with pytest.raises(RunError, match="sealed"):
        store.write("a", labels_of(5))
    with pytest.raises(RunError, match="sealed"):
        store.seal(MANIFEST)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a", "gone"]}, "label files of gone are missing"),
        ({"ids": ["a", "b.c", "a"]}, "image a occurs twice"),
        ({"ids": ["../a"]}, "no plain file name"),
    ],
)
def test_incomplete_labels_cannot_be_sealed(store, change, message):
    with pytest.raises(DataError, match=message):
        store.seal({**MANIFEST, **change})
    assert not store.is_sealed()


@pytest.mark.parametrize("key", ["ids", "settings_hash", "checkpoint"])
def test_manifest_needs_its_entries(store, key):
    with pytest.raises(DataError, match=f"lacks {key}"):
        store.seal({k: v for k, v in MANIFEST.items() if k != key})
    assert not store.is_sealed()


def test_verify_names_what_is_wrong(store):
    with pytest.raises(DataError, match="not sealed"):
        store.verify(["a"])
    store.seal(MANIFEST)
    with pytest.raises(DataError, match="no labels for other"):
        store.verify(["a", "other"])
    whole = store.semantic_path("a").read_bytes()
    store.semantic_path("a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a_semantic\.png: not a readable image"):
        store.verify(["a"])
    write_png(store.semantic_path("a"), labels_of(9).semantic)
    with pytest.raises(DataError, match=r"a_semantic\.png: .*changed after"):
        store.verify(["a"])
    store.verify(["b.c"])
    store.instances_path("b.c").unlink()
    with pytest.raises(DataError, match=r"label files of b\.c are missing"):
        store.verify(["b.c"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable"),
        ("[]", "not a manifest of labels"),
        (json.dumps({"format": "weakpan-pseudo-labels", "version": 9}), "version 9"),
        (json.dumps({"format": "weakpan-pseudo-labels", "version": 1, "ids": []}), "lacks settings_hash, checkpoint"),
    ],
)
def test_damaged_manifest_is_named(store, content, message):
    store.manifest_path.write_text(content)
    with pytest.raises(DataError, match=f"manifest.json: {message}"):
        store.manifest()


def test_maps_that_do_not_fit_together_are_refused(store):
    write_png(store.instances_path("a"), np.zeros((7, 12), np.uint16))
    with pytest.raises(DataError, match=r"a_instances.png: size \(7, 12\)"):
        store.read("a")
    write_png(store.instances_path("a"), np.zeros((7, 11), np.uint8))
    with pytest.raises(DataError, match=r"a_instances\.png: expected a PNG of uint16"):
        store.read("a")
