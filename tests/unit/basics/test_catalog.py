"""Class tables and the translations made from them."""

import numpy as np
import pytest

from weakpan.basics.catalog import CAMVID, CITYSCAPES, TOY_CITY, Catalog, ClassInfo
from weakpan.basics.errors import DataError


def row(name, dataset_id, thing=False):
    return ClassInfo(name, dataset_id, (1, 2, 3), thing)


def test_cityscapes_is_the_official_table():
    # Independent of the package: the data set's own tools.
    from cityscapesscripts.helpers.labels import labels

    official = sorted((lab for lab in labels if 0 <= lab.trainId < 19), key=lambda lab: lab.trainId)
    found = [(c.name, c.dataset_id, c.color, c.is_thing) for c in CITYSCAPES.classes]
    assert found == [(lab.name, lab.id, tuple(lab.color), lab.hasInstances) for lab in official]
    assert CITYSCAPES.ignored_dataset_ids == {lab.id for lab in labels if lab.id >= 0 and lab.trainId == 255}


def test_things_and_stuff_divide_the_table():
    assert CITYSCAPES.thing_ids == tuple(range(11, 19))
    assert CITYSCAPES.stuff_ids == tuple(range(11))
    assert np.flatnonzero(CITYSCAPES.is_thing).tolist() == list(range(11, 19))
    assert CITYSCAPES.palette.shape == (256, 3)
    assert CITYSCAPES.palette[13].tolist() == [0, 0, 142]
    assert not CITYSCAPES.palette[19:].any()


def test_dataset_ids_become_train_ids():
    raw = np.array([[7, 26, 0], [33, 6, 255]], np.uint8)
    found = CITYSCAPES.to_train_ids(raw, "x.png")
    assert found.tolist() == [[0, 13, 255], [18, 255, 255]]
    assert found.dtype == np.uint8


@pytest.mark.parametrize("value", [34, 254, 300, -1])
def test_an_unknown_dataset_id_names_file_and_value(value):
    with pytest.raises(DataError, match=rf"x\.png: label id {value} .*cityscapes"):
        CITYSCAPES.to_train_ids(np.array([[7, value]], np.int32), "x.png")


@pytest.mark.parametrize("value", [19, 254, 256, -1])
def test_an_unknown_train_id_names_file_and_value(value):
    with pytest.raises(DataError, match=rf"x\.png: train id {value} .*0 to 18"):
        CITYSCAPES.check_train_ids(np.array([[0, value]], np.int32), "x.png")
    assert CITYSCAPES.check_train_ids(np.array([[18, 255]]), "x.png").tolist() == [[18, 255]]


@pytest.mark.parametrize("table", [CAMVID, TOY_CITY])
def test_classes_left_out_of_a_subset_are_ignored(table):
    assert table.num_classes == 11
    for info in CITYSCAPES.classes:
        found = int(table.to_train_ids(np.array([[info.dataset_id]]), "x.png")[0, 0])
        assert found == (table.names.index(info.name) if info.name in table.names else 255)


def test_ambiguous_tables_are_refused():
    with pytest.raises(DataError, match="name a occurs twice"):
        Catalog("t", (row("a", 1), row("a", 2)))
    with pytest.raises(DataError, match="dataset_id 1 occurs twice"):
        Catalog("t", (row("a", 1), row("b", 1)))
    with pytest.raises(DataError, match="0 classes"):
        Catalog("t", ())
