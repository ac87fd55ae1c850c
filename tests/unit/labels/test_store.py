"""Label files: written whole, read back."""

import numpy as np
import pytest

from weakpan.basics.errors import DataError
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.storage.images import write_png


def labels_of(seed):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([0, 1, 18, 255], (7, 11)).astype(np.uint8)
    return PseudoLabels(semantic, rng.choice([-1, 0, 1, 255, 300, 65534], (7, 11)).astype(np.int32))


@pytest.fixture
def store(tmp_path):
    store = LabelStore(tmp_path / "round_00" / "labels")
    for seed, image_id in enumerate(("a", "b.c")):
        store.write(image_id, labels_of(seed))
    return store


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


def test_maps_that_do_not_fit_together_are_refused(store):
    write_png(store.instances_path("a"), np.zeros((7, 12), np.uint16))
    with pytest.raises(DataError, match=r"a_instances.png: size \(7, 12\)"):
        store.read("a")
    write_png(store.instances_path("a"), np.zeros((7, 11), np.uint8))
    with pytest.raises(DataError, match=r"a_instances\.png: expected a PNG of uint16"):
        store.read("a")


@pytest.mark.parametrize("damaged", [LabelStore.semantic_path, LabelStore.instances_path])
def test_whole_labels_can_be_read_to_their_end(store, damaged):
    assert store.files("a") == (store.semantic_path("a"), store.instances_path("a"))
    assert store.is_whole("a")
    assert not store.is_whole("b")
    path = damaged(store, "a")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert not store.is_whole("a")
    assert store.is_whole("b.c")
