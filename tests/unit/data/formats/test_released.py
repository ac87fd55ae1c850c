"""The results folder of the released code: names, values, colours."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from weakpan.basics.arrays import IGNORE, NO_THING
from weakpan.basics.catalog import CITYSCAPES, Catalog, ClassInfo
from weakpan.basics.errors import DataError
from weakpan.data.formats.released import ReleasedTree, class_palette, index_palette
from weakpan.storage.images import read_map, write_png

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
RELEASED = DATA / "released_sample"
FRAME = "aachen_000000_000019"

MAPS = {
    "cam": np.array([[0, 10, 255], [18, 11, 0]], np.uint8),
    "prediction": np.array([[0, 10, 255], [18, 11, 0]], np.uint8),
    "masks": np.array([[254, 11, 255], [18, 254, 254]], np.uint8),
}
SCORES = np.array([[0, 0.5, 1], [0.25, 0.75, 1]], np.float32)
THING_FIRST = Catalog("cells", (ClassInfo("cell", 1, (9, 9, 9), True), ClassInfo("glass", 2, (5, 5, 5), False)))


@pytest.fixture
def tree(tmp_path):
    return ReleasedTree(tmp_path, "train", CITYSCAPES)


def colours(path):
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image.getpalette(), np.uint8).reshape(-1, 3)


def test_files_lie_where_the_released_code_has_them(tree, tmp_path):
    relative = [
        path.relative_to(tmp_path).as_posix()
        for path in (
            tree.path("cam", "a"), tree.path("masks", "a"), tree.path("prediction", "a"), tree.path("scores", "a"),
            tree.path("semantic", "a"), tree.path("instances", "a"),
        )
    ]  # fmt: skip
    assert relative == [
        "cam/train/a_leftImg8bit.png",
        "mcg_and_grabcut/train/a_leftImg8bit.png",
        "pred_sem_raw/a_leftImg8bit.png",
        "pred_flat_feat/a_leftImg8bit.mat",
        "pred_sem_clean/a_leftImg8bit.png",
        "pred_ins_clean/a_leftImg8bit.png",
    ]
    plain = ReleasedTree(tmp_path, "val", CITYSCAPES, suffix="")
    assert plain.path("cam", "a.b") == tmp_path / "cam/val/a.b.png"


@pytest.mark.parametrize("image_id", ["../a", "/etc/a", "b/a", "..", ".", ""])
@pytest.mark.parametrize("name", ["cam", "masks", "prediction", "scores", "semantic", "instances"])
def test_an_image_id_does_not_lead_out_of_the_folder(tree, name, image_id):
    with pytest.raises(DataError, match="is no plain file name"):
        tree.path(name, image_id)


@pytest.mark.parametrize("name", MAPS)
def test_maps_come_back(tree, name):
    tree.write(name, "a", MAPS[name])
    found = tree.read(name, "a")
    np.testing.assert_array_equal(found, MAPS[name])
    assert found.dtype == np.uint8


def test_scores_come_back(tree):
    tree.write_scores("a", SCORES)
    np.testing.assert_array_equal(tree.scores("a", (2, 3)), SCORES)
    assert scipy.io.whosmat(tree.path("scores", "a")) == [("feat", (2, 3), "single")]


def test_no_thing_is_0_in_the_file_and_254_in_memory(tree):
    tree.write("masks", "a", MAPS["masks"])
    np.testing.assert_array_equal(read_map(tree.path("masks", "a")), [[0, 11, 255], [18, 0, 0]])


def test_masks_of_a_class_table_that_starts_with_a_thing_keep_254(tree):
    cells = ReleasedTree(tree.root, "train", THING_FIRST)
    values = np.array([[0, NO_THING], [255, 0]], np.uint8)
    cells.write("masks", "a", values)
    np.testing.assert_array_equal(read_map(cells.path("masks", "a")), values)
    np.testing.assert_array_equal(cells.read("masks", "a"), values)
    write_png(cells.path("masks", "b"), np.array([[0, 1]], np.uint8))
    with pytest.raises(DataError, match=r"254 .no thing here., train ids of things and 255"):
        cells.read("masks", "b")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cam", 19, "train ids of class table 'cityscapes' .0 to 18. and 255"),
        ("prediction", 254, "train ids of class table"),
        ("masks", 10, "0 .no thing here., train ids of things and 255"),
        ("masks", 254, "0 .no thing here."),
    ],
)
def test_a_value_without_a_meaning_is_not_read(tree, name, value, expected):
    path = tree.path(name, "a")
    write_png(path, np.array([[0, value]], np.uint8))
    with pytest.raises(DataError, match=rf"a_leftImg8bit\.png: value {value} has no meaning here; expected {expected}"):
        tree.read(name, "a")


@pytest.mark.parametrize(
    ("name", "value"), [("cam", 19), ("prediction", 254), ("semantic", 254), ("masks", 0), ("masks", 10)]
)
def test_a_value_without_a_meaning_is_not_written(tree, name, value):
    with pytest.raises(DataError, match=rf"a_leftImg8bit\.png: value {value} has no meaning"):
        tree.write(name, "a", np.array([[255, value]], np.uint8))
    assert not tree.path(name, "a").exists()


@pytest.mark.parametrize("name", MAPS)
def test_another_depth_shape_or_no_file_is_named(tree, name):
    with pytest.raises(DataError, match=r"a_leftImg8bit\.png: no such"):
        tree.read(name, "a")
    write_png(tree.path(name, "a"), np.zeros((2, 2), np.uint16))
    with pytest.raises(DataError, match=r"a_leftImg8bit\.png: .*8 bits"):
        tree.read(name, "a")
    for values in (np.zeros((2, 2), np.int32), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(DataError, match=r"b_leftImg8bit\.png: .*expected \(H, W\) uint8"):
            tree.write(name, "b", values)


def test_semantic_results_have_the_colours_of_the_class_table(tree):
    tree.write("semantic", "a", MAPS["cam"])
    np.testing.assert_array_equal(read_map(tree.path("semantic", "a")), MAPS["cam"])
    found = colours(tree.path("semantic", "a"))
    assert [tuple(c) for c in found[:19]] == [c.color for c in CITYSCAPES.classes]
    assert found[IGNORE].tolist() == [0, 0, 0]


def test_instances_have_8_bits_and_colours_or_16_bits(tree):
    few = np.array([[0, 1, 254], [255, 7, 0]], np.uint8)
    tree.write_instances("few", few)
    np.testing.assert_array_equal(read_map(tree.path("instances", "few")), few)
    assert len(np.unique(colours(tree.path("instances", "few")), axis=0)) == 256
    many = np.array([[0, 255, 300], [65535, 7, 0]], np.uint16)
    tree.write_instances("many", many)
    found = read_map(tree.path("instances", "many"))
    np.testing.assert_array_equal(found, many)
    assert found.dtype == np.uint16
    for wrong in (np.zeros((2, 2), np.int32), np.zeros(2, np.uint8), np.zeros((2, 2, 3), np.uint16)):
        with pytest.raises(DataError, match=r"a_leftImg8bit\.png: instances of shape"):
            tree.write_instances("a", wrong)


def test_palettes():
    assert index_palette()[[0, 1, 2, 3, 8, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [64, 0, 0], [224, 224, 192],
    ]  # fmt: skip
    np.testing.assert_array_equal(class_palette(CITYSCAPES)[19:255], index_palette()[19:255])


released = pytest.mark.skipif(not RELEASED.is_dir(), reason="the released frame is not there (set WEAKPAN_DATA)")


@released
@pytest.mark.parametrize("name", MAPS)
def test_a_released_map_comes_back_with_its_colours(tree, name):
    original = ReleasedTree(RELEASED / "results", "train", CITYSCAPES)
    source, copy = original.path(name, FRAME), tree.path(name, FRAME)
    tree.write(name, FRAME, original.read(name, FRAME))
    np.testing.assert_array_equal(read_map(copy), read_map(source))
    np.testing.assert_array_equal(colours(copy), colours(source))


@released
def test_a_released_result_comes_back_with_its_colours(tree):
    expected = ReleasedTree(RELEASED / "expected", "train", CITYSCAPES)
    source, copy = expected.path("semantic", FRAME), tree.path("semantic", FRAME)
    tree.write("semantic", FRAME, read_map(source))
    np.testing.assert_array_equal(read_map(copy), read_map(source))
    np.testing.assert_array_equal(colours(copy), colours(source))
    source, copy = expected.path("instances", FRAME), tree.path("instances", FRAME)
    tree.write_instances(FRAME, read_map(source))
    np.testing.assert_array_equal(read_map(copy), read_map(source))


@released
def test_released_scores_are_read():
    scores = ReleasedTree(RELEASED / "results", "train", CITYSCAPES).scores(FRAME, (1024, 2048))
    assert (scores >= 0.99).mean() == pytest.approx(0.93, abs=0.01)
