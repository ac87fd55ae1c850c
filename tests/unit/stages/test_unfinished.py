"""What is kept of an interrupted stage: results that are whole, made with the same weights."""

import numpy as np
import pytest

from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.stages.unfinished import forget_results_of_other_weights, is_whole, left_to_do
from weakpan.storage.map_store import MapStore

IDS = ("a", "b", "c")
MAP = np.arange(48, dtype=np.uint8).reshape(6, 8)


def maps(folder):
    return MapStore(folder), MAP, lambda store, image_id: store.path(image_id)


def labels(folder):
    whole = PseudoLabels(MAP, np.zeros((6, 8), np.int32))
    return LabelStore(folder), whole, lambda store, image_id: store.instances_path(image_id)


@pytest.mark.parametrize("kind", [maps, labels])
def test_only_what_is_missing_or_torn_is_left_to_do(tmp_path, kind):
    store, value, path_of = kind(tmp_path)
    for image_id in ("c", "a"):
        store.write(image_id, value)
    assert left_to_do(IDS, lambda image_id: is_whole(store, image_id)) == ["b"]
    torn = path_of(store, "c")
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    assert left_to_do(IDS, lambda image_id: is_whole(store, image_id)) == ["b", "c"]
    path_of(store, "a").unlink()
    assert left_to_do(IDS, lambda image_id: is_whole(store, image_id)) == list(IDS)


def test_results_of_other_weights_are_forgotten(tmp_path):
    store, weights, note = MapStore(tmp_path / "maps"), tmp_path / "last.ckpt", tmp_path / "source.json"
    weights.write_bytes(b"weights")
    paths = [store.path(image_id) for image_id in IDS]
    forget_results_of_other_weights(note, weights, paths)
    store.write("a", MAP)
    forget_results_of_other_weights(note, weights, paths)
    assert is_whole(store, "a")
    weights.write_bytes(b"other weights")
    forget_results_of_other_weights(note, weights, paths)
    assert not store.has("a")
