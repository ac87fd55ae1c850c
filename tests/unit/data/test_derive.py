"""Weak annotations from ground truth, and the checks against the images."""

import dataclasses

import cv2
import numpy as np
import pytest

from tests.unit.data.tiny_tree import street, write_frame
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import check_annotations
from weakpan.data.annotations import BoxKind, WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_annotations
from weakpan.data.image_tree import ImageTree

GRID = CropGrid(12, 16)


@pytest.fixture
def split(tmp_path):
    write_frame(tmp_path, "a", street())
    write_frame(tmp_path, "b", street(24, 30))
    return ImageTree(tmp_path, "train", CITYSCAPES)


@pytest.fixture
def derived(split):
    return derive_annotations(split, GRID, workers=1)


def test_boxes_and_tags_of_a_street(derived):
    entry = derived.images["a"]
    found = [(CITYSCAPES.names[b.class_id], str(b.kind), (b.xmin, b.ymin, b.xmax, b.ymax)) for b in entry.boxes]
    assert found == [
        ("road", "stuff", (0, 0, 29, 19)),
        ("sky", "stuff", (0, 0, 29, 19)),
        ("person", "group", (25, 9, 28, 12)),
        ("person", "instance", (20, 5, 22, 13)),
        ("car", "instance", (3, 8, 8, 13)),
        ("car", "instance", (9, 8, 14, 13)),
    ]
    tags = [sorted(CITYSCAPES.names[t] for t in crop) for crop in entry.tags]
    # Rows 0-11 and 8-19, columns 0-15 and 14-29.
    assert tags == [
        ["car", "road", "sky"], ["car", "person", "road", "sky"],
        ["car", "road", "sky"], ["car", "person", "road", "sky"],
    ]  # fmt: skip
    assert [b.kind for b in entry.boxes].count(BoxKind.INSTANCE) == 3


def test_an_image_without_labels_is_named(tmp_path, split):
    for path in (tmp_path / "gtFine").rglob("b_*"):
        path.unlink()
    with pytest.raises(DataError, match=r"b_leftImg8bit\.png: no ground truth beside it; give weak annotations"):
        derive_annotations(split, GRID, workers=1)


def test_processes_derive_the_same(tmp_path):
    # From 32 images on the work is shared.
    for number in range(32):
        write_frame(tmp_path, f"f{number:02d}", street(20, 24 + number % 3 + 8))
    split = ImageTree(tmp_path, "train", CITYSCAPES)
    assert derive_annotations(split, GRID, workers=2) == derive_annotations(split, GRID, workers=1)


def test_matching_annotations_pass(split, derived):
    check_annotations(derived, split)


def test_an_image_without_entry_is_named(split, derived):
    less = WeakAnnotations(CITYSCAPES, GRID, {"a": derived.images["a"]})
    with pytest.raises(DataError, match=r"b_leftImg8bit\.png: no entry in the weak-annotation file \(1 such"):
        check_annotations(less, split)


def test_an_entry_without_image_is_named_unless_a_list_chooses(tmp_path, split, derived):
    more = WeakAnnotations(CITYSCAPES, GRID, {**derived.images, "ghost": derived.images["a"]})
    with pytest.raises(DataError, match=r"weak annotations name ghost, which has no image.*data\.train_list"):
        check_annotations(more, split)
    check_annotations(more, ImageTree(tmp_path, "train", CITYSCAPES, only_ids=("b",)))


def test_an_entry_of_another_size_is_named(split, derived):
    wrong = dataclasses.replace(derived.images["a"], width=31)
    with pytest.raises(DataError, match=r"a_leftImg8bit\.png: 20 x 30 pixels .*says 20 x 31"):
        check_annotations(WeakAnnotations(CITYSCAPES, GRID, {**derived.images, "a": wrong}), split)


def test_a_truncated_photograph_is_named(split, derived):
    path = split.image_path("b")
    content = cv2.imencode(".png", np.zeros((24, 30, 3), np.uint8))[1].tobytes()
    path.write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"b_leftImg8bit\.png.*truncated"):
        check_annotations(derived, split)
