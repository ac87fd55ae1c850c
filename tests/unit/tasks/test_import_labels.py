"""Labels that were made elsewhere: ours, those of the released layout, COCO panoptic."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.data.tiny_tree import write_weak
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.config.data import DataConfig
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels.instances import UNLABELLED
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.storage.images import write_png
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.coco_parts import CocoParts
from weakpan.tasks.import_labels import (
    CocoLabels,
    ImportLabels,
    ReleasedLabelFiles,
    StoredLabels,
    by_boxes,
    open_labels,
)
from weakpan.tasks.labels import WriteLabels
from weakpan.tasks.stores import ReleasedLabels

CAR, PERSON, ROAD = (TOY_CITY.train_id_named(name) for name in ("car", "person", "road"))
BOXES = (
    Box(CAR, 1, 1, 6, 4),
    Box(CAR, 10, 1, 15, 6),
    Box(PERSON, 3, 7, 5, 11),
    Box(CAR, 0, 8, 2, 11, BoxKind.GROUP),
)
IMAGE = ImageAnnotation("a", 12, 20, BOXES, (frozenset({CAR, PERSON, ROAD}),))


@pytest.fixture
def labels():
    """Two cars and a person in their boxes, the group, road, and a strip without labels."""
    semantic, instances = np.full((12, 20), ROAD, np.uint8), np.zeros((12, 20), np.int32)
    for number, box in enumerate(BOXES, 1):
        semantic[box.slices] = box.class_id
        instances[box.slices] = number if box.kind is BoxKind.INSTANCE else 0
    semantic[:, 18:], instances[:, 18:] = 255, UNLABELLED
    return PseudoLabels(semantic, instances)


def stored(folder, labels):
    LabelStore(folder).write("a", labels)
    return folder


def released(folder, labels):
    ReleasedLabels(ReleasedTree(folder, "train", TOY_CITY), True).write("a", labels)
    return folder


def coco(folder, labels):
    parts = CocoParts(folder / "labels")
    parts.write("a", labels, TOY_CITY)
    parts.join(["a"], TOY_CITY)
    return folder / "labels.json"


@pytest.mark.parametrize(
    ("write", "kind"), [(stored, StoredLabels), (released, ReleasedLabelFiles), (coco, CocoLabels)]
)
def test_every_form_is_known_and_comes_back(tmp_path, labels, write, kind):
    given = open_labels(write(tmp_path, labels), TOY_CITY)
    assert type(given) is kind
    assert given.path("a").is_file()
    found = given.read(IMAGE)
    np.testing.assert_array_equal(found.semantic, labels.semantic)
    np.testing.assert_array_equal(found.instances, labels.instances)
    assert (found.semantic.dtype, found.instances.dtype) == (np.uint8, np.int32)


@pytest.mark.parametrize("name", ["gone", "."])
def test_what_is_none_is_named(tmp_path, name):
    with pytest.raises(DataError) as caught:
        open_labels(tmp_path / name, TOY_CITY)
    assert caught.value.key == "labels_from"


def test_many_instances_of_the_released_layout_take_16_bits(tmp_path, labels):
    labels.instances[0, :3] = 300
    found = open_labels(released(tmp_path, labels), TOY_CITY).read(IMAGE)
    np.testing.assert_array_equal(found.instances, labels.instances)


def test_semantic_maps_alone_leave_things_without_instances(tmp_path, labels):
    ReleasedLabels(ReleasedTree(tmp_path, "train", TOY_CITY), False).write("a", labels)
    found = open_labels(tmp_path, TOY_CITY).read(IMAGE)
    np.testing.assert_array_equal(found.instances, np.where(labels.semantic == 255, UNLABELLED, 0))


@pytest.mark.parametrize("write", [stored, released])
def test_values_outside_the_class_table_are_refused(tmp_path, labels, write):
    path = open_labels(write(tmp_path, labels), TOY_CITY).path("a")
    write_png(path, np.full((12, 20), TOY_CITY.num_classes, np.uint8))
    with pytest.raises(DataError, match=f"{path}.* {TOY_CITY.num_classes} is outside"):
        open_labels(tmp_path, TOY_CITY).read(IMAGE)


class TestByBoxes:
    """Segments are numbered by the boxes that they belong to."""

    def numbered(self, semantic, segments):
        return by_boxes(semantic.astype(np.uint8), segments.astype(np.int32), IMAGE)

    def test_the_best_box_of_the_class_takes_a_segment(self, labels):
        # Numbers of the file say nothing about boxes.
        swapped = np.select([labels.instances == 1, labels.instances == 2, labels.instances == 3], [9, 4, 4], 0)
        np.testing.assert_array_equal(self.numbered(labels.semantic, swapped), labels.instances)

    def test_a_box_of_another_class_takes_none(self, labels):
        person = np.where(labels.instances == 1, PERSON, labels.semantic)
        found = self.numbered(person, labels.instances)
        assert set(np.unique(found[labels.instances == 1])) == {UNLABELLED}

    def test_what_fits_no_box_is_unlabelled(self, labels):
        # A third of the second car.
        segments = np.where(labels.instances == 2, 0, labels.instances)
        segments[1:3, 10:16] = 2
        found = self.numbered(labels.semantic, segments)
        assert set(np.unique(found[1:3, 10:16])) == {UNLABELLED}
        assert (found[labels.instances == 1] == 1).all()

    def test_no_segments(self):
        found = self.numbered(np.full((12, 20), ROAD), np.zeros((12, 20)))
        assert not found.any()


class TestTask:
    """From file to file."""

    @pytest.fixture
    def task(self, tmp_path, labels):
        file = tmp_path / "weak_annotations.json"
        write_weak(file, WeakAnnotations(TOY_CITY, CropGrid(12, 20), {"a": IMAGE}))
        source = AnnotationSource(DataConfig(name="own", root=str(tmp_path), classes="toy_city"), TOY_CITY, file)
        results = WriteLabels(source, LabelStore(tmp_path / "out"))
        return ImportLabels(results, open_labels(stored(tmp_path / "given", labels), TOY_CITY))

    def test_labels_are_taken_over(self, tmp_path, task, labels):
        assert task.missing("a") is None
        assert not task.is_done("a")
        counts = task.write("a", task.make("a"))
        assert counts == {"images": 1, "pixels": 240, "pixels labelled": 216, "boxes": 3}
        assert task.is_done("a")
        assert all(path.is_file() for path in task.files("a"))
        np.testing.assert_array_equal(LabelStore(tmp_path / "out").read("a").instances, labels.instances)

    def test_what_is_missing_is_named(self, tmp_path, task):
        assert task.missing("b") == tmp_path / "given/b_semantic.png"

    def test_labels_of_another_size_are_refused(self, tmp_path, task, labels):
        stored(tmp_path / "given", PseudoLabels(labels.semantic[:11], labels.instances[:11]))
        with pytest.raises(DataError, match="image a: labels of") as caught:
            task.make("a")
        assert caught.value.path == tmp_path / "given/a_semantic.png"
