"""Weak annotations out of COCO panoptic files, pseudo labels into them."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.data.tiny_tree import write_weak
from weakpan.basics.catalog import CITYSCAPES, TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_annotations
from weakpan.data.formats.coco import CocoPanoptic, ids_to_rgb, write_panoptic_json, write_panoptic_png
from weakpan.data.formats.coco_weak import image_names, labels_to_coco
from weakpan.data.image_tree import ImageTree
from weakpan.storage.images import write_png

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / "../shared/data"))
ROAD, SKY, PERSON, CAR, TRUCK = (CITYSCAPES.train_id_named(n) for n in ("road", "sky", "person", "car", "truck"))
GRID = CropGrid(6, 8)


def annotations_from_coco(path, catalog, grid):
    """Boxes and tags of all images of a ground truth, as stages find them one by one."""
    coco, images = CocoPanoptic(path, catalog), {}
    for image_id, coco_id in image_names(coco).items():
        truth = coco.truth(coco_id)
        boxes = boxes_from_maps(truth.semantic, truth.instances, catalog)
        images[image_id] = ImageAnnotation(image_id, *truth.semantic.shape, boxes, grid.tags(truth.semantic))
    return WeakAnnotations(catalog, grid, images)


def write_truth(folder, ids, records, images=None, image_id="street"):
    """A ground truth of one image, straight from the format's description."""
    folder.mkdir(parents=True, exist_ok=True)
    write_png(folder / "truth" / "street.png", ids_to_rgb(ids))
    content = {
        "annotations": [{"image_id": image_id, "file_name": "street.png", "segments_info": records}],
        "categories": [{"id": c.dataset_id, "name": c.name, "isthing": int(c.is_thing)} for c in CITYSCAPES.classes],
    }
    if images is not None:
        content["images"] = images
    (folder / "truth.json").write_text(json.dumps(content))
    return folder / "truth.json"


def segment(segment_id, class_id, crowd=0):
    return {"id": segment_id, "category_id": CITYSCAPES.classes[class_id].dataset_id, "iscrowd": crowd}


def street():
    """Road, two cars whose ids are not in the order of their records, a crowd of people; one pixel without a label."""
    ids = np.full((10, 14), 40, np.int32)
    ids[2:5, 1:4] = 900
    ids[3:7, 6:11] = 70000
    ids[7:9, 11:13] = 12
    ids[0, 0] = 0
    return ids, [segment(70000, CAR), segment(40, ROAD), segment(12, PERSON, crowd=1), segment(900, CAR)]


def test_truth_of_a_file_worked_out_by_hand(tmp_path):
    ids, records = street()
    truth = CocoPanoptic(write_truth(tmp_path, ids, records), CITYSCAPES).truth("street")
    semantic, instances = np.full(ids.shape, ROAD, np.uint8), np.zeros(ids.shape, np.int32)
    semantic[ids == 900] = semantic[ids == 70000] = CAR
    semantic[ids == 12], semantic[0, 0] = PERSON, 255
    instances[ids == 900], instances[ids == 70000] = 1, 2
    np.testing.assert_array_equal(truth.semantic, semantic)
    np.testing.assert_array_equal(truth.instances, instances)
    assert (truth.semantic.dtype, truth.instances.dtype) == (np.uint8, np.int32)


def test_annotations_worked_out_by_hand(tmp_path):
    annotations = annotations_from_coco(write_truth(tmp_path, *street()), CITYSCAPES, GRID)
    (image,) = annotations.images.values()
    assert (image.image_id, image.height, image.width) == ("street", 10, 14)
    assert image.boxes == (
        Box(ROAD, 0, 0, 13, 9, BoxKind.STUFF),
        Box(PERSON, 11, 7, 12, 8, BoxKind.GROUP),
        Box(CAR, 1, 2, 3, 4),
        Box(CAR, 6, 3, 10, 6),
    )
    # Rows 0-5 and 4-9, columns 0-7 and 6-13.
    assert image.tags == ({ROAD, CAR}, {ROAD, CAR}, {ROAD, CAR}, {ROAD, CAR, PERSON})
    write_weak(tmp_path / "weak.json", annotations)
    assert read_weak_annotations(tmp_path / "weak.json", CITYSCAPES) == annotations


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 12), st.integers(1, 12))
def test_boxes_are_those_of_the_maps(tmp_path_factory, seed, height, width):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([ROAD, SKY, PERSON, CAR, 255], (height, width)).astype(np.uint8)
    instances = np.where(CITYSCAPES.is_thing[semantic], rng.integers(0, 4, semantic.shape), 0).astype(np.int32)
    # Ids as the official Cityscapes conversion gives them; records in any order.
    wide = semantic.astype(np.int32)
    ids = np.where(semantic == 255, 0, np.where(instances > 0, wide * 1000 + instances, wide + 1))
    present = [int(i) for i in rng.permutation(np.unique(ids[ids > 0]))]
    classes = {i: i // 1000 if i >= 1000 else i - 1 for i in present}
    records = [segment(i, classes[i], int(i < 1000 and classes[i] in (PERSON, CAR))) for i in present]
    path = write_truth(tmp_path_factory.mktemp("coco"), ids, records)
    image = annotations_from_coco(path, CITYSCAPES, GRID).images["street"]
    assert image.boxes == boxes_from_maps(semantic, instances, CITYSCAPES)
    assert image.tags == GRID.tags(semantic)


def test_images_with_numbers_are_called_like_their_photographs(tmp_path):
    ids, records = street()
    named = {"id": 139, "file_name": "val/000000000139.jpg", "height": 10, "width": 14}
    path = write_truth(tmp_path, ids, records, [named], image_id=139)
    assert list(annotations_from_coco(path, CITYSCAPES, GRID).images) == ["000000000139"]
    path = write_truth(tmp_path, ids, records, [named | {"id": "street"}])
    assert list(annotations_from_coco(path, CITYSCAPES, GRID).images) == ["street"]


def test_two_images_of_one_name_are_refused(tmp_path):
    path = write_truth(tmp_path, *street(), image_id=1)
    content = json.loads(path.read_text())
    content["annotations"].append({**content["annotations"][0], "image_id": 2})
    content["images"] = [{"id": i, "file_name": f"{i}/a.jpg"} for i in (1, 2)]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"truth\.json: two images are called a"):
        annotations_from_coco(path, CITYSCAPES, GRID)


def test_categories_that_the_table_ignores_are_unlabelled(tmp_path):
    ids, records = street()
    records[0]["category_id"] = CITYSCAPES.classes[TRUCK].dataset_id
    truth = CocoPanoptic(write_truth(tmp_path, ids, records), TOY_CITY).truth("street")
    assert (truth.semantic[ids == 70000] == 255).all()
    # As in the Cityscapes reader, an instance of an ignored class keeps a number.
    assert (truth.instances[ids == 70000] == 2).all()
    assert (truth.semantic[ids == 40] == TOY_CITY.train_id_named("road")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 200}, "image street: category 200 is not in class table 'cityscapes'"),
        ({"category_id": "car"}, r"category_id \(street\) is \"car\"; expected a valid integer"),
        ({"id": 5}, "segment 5 does not occur in the PNG"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change, message):
    ids, records = street()
    records[0] |= change
    with pytest.raises(DataError, match=message):
        annotations_from_coco(write_truth(tmp_path, ids, records), CITYSCAPES, GRID)


def test_a_png_of_another_size_is_refused(tmp_path):
    wrong = [{"id": "street", "file_name": "street.jpg", "height": 14, "width": 10}]
    with pytest.raises(DataError, match=r"street\.png: 10 x 14 pixels .*truth\.json says 14 x 10"):
        annotations_from_coco(write_truth(tmp_path, *street(), wrong), CITYSCAPES, GRID)
    with pytest.raises(DataError, match=r"images\[0\]\.id is missing"):
        annotations_from_coco(write_truth(tmp_path, *street(), [{"file_name": "a"}]), CITYSCAPES, GRID)


def test_pseudo_labels_as_segments_worked_out_by_hand():
    semantic = np.array([[ROAD, ROAD, 255, CAR], [CAR, CAR, CAR, PERSON]], np.uint8)
    instances = np.array([[1, 1, -1, 3], [2, -1, 0, 5]], np.int32)
    panoptic, image = labels_to_coco("street", "a/street.jpg", semantic, instances, CITYSCAPES)
    np.testing.assert_array_equal(panoptic.ids, [[1, 1, 0, 4], [3, 2, 2, 5]])
    assert panoptic.ids.dtype == np.int32
    found = [(s["id"], s["category_id"], s["iscrowd"], s["area"]) for s in image.segments]
    assert found == [(1, 7, 0, 2), (2, 26, 1, 2), (3, 26, 0, 1), (4, 26, 0, 1), (5, 24, 0, 1)]
    assert (image.image_id, image.file_name, image.height, image.width) == ("street", "a/street.jpg", 2, 4)


def test_pseudo_labels_without_any_label():
    nothing = np.full((3, 4), 255, np.uint8)
    panoptic, image = labels_to_coco("a", "a.png", nothing, np.full((3, 4), -1, np.int32), CITYSCAPES)
    assert not panoptic.ids.any()
    assert image.segments == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 12), st.integers(1, 12))
def test_pseudo_labels_survive_the_file(tmp_path_factory, seed, height, width):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([ROAD, SKY, PERSON, CAR, 255], (height, width)).astype(np.uint8)
    instances = rng.choice([-1, 0, 1, 2, 300], (height, width)).astype(np.int32)
    folder = tmp_path_factory.mktemp("coco")
    panoptic, image = labels_to_coco("street", "street.jpg", semantic, instances, CITYSCAPES)
    write_panoptic_png(folder / "labels" / "street.png", panoptic)
    write_panoptic_json(folder / "labels.json", CITYSCAPES, [image], {})
    truth = CocoPanoptic(folder / "labels.json", CITYSCAPES).truth("street")
    np.testing.assert_array_equal(truth.semantic, semantic)
    kept = np.where(CITYSCAPES.is_thing[semantic], np.maximum(instances, 0), 0).astype(np.int32)
    np.testing.assert_array_equal(truth.instances > 0, kept > 0)
    # Other numbers, the same division and the same order of instances.
    assert boxes_from_maps(truth.semantic, truth.instances, CITYSCAPES) == boxes_from_maps(semantic, kept, CITYSCAPES)
    pairs = {
        (int(a), int(c), int(b)) for a, c, b in zip(truth.instances.flat, semantic.flat, kept.flat, strict=True) if a
    }
    assert len(pairs) == len({a for a, _, _ in pairs}) == len({(c, b) for _, c, b in pairs})


def test_pseudo_labels_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"labels of a: .*\(2, 3\).*\(3, 2\)"):
        labels_to_coco("a", "a.png", np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.int32), CITYSCAPES)
    with pytest.raises(DataError, match="labels of a: train id 19 is outside class table"):
        labels_to_coco("a", "a.png", np.full((2, 3), 19, np.uint8), np.zeros((2, 3), np.int32), CITYSCAPES)


@pytest.mark.skipif(not (DATA / "cityscapes_sample").is_dir(), reason="needs WEAKPAN_DATA/cityscapes_sample")
def test_the_official_conversion_of_real_frames_gives_the_same_annotations(tmp_path, monkeypatch, capsys):
    from cityscapesscripts.preparation import createPanopticImgs

    root = DATA / "cityscapes_sample"
    arguments = ["--dataset-folder", str(root / "gtFine"), "--output-folder", str(tmp_path), "--set-names", "train"]
    monkeypatch.setattr(sys, "argv", ["convert", *arguments])
    createPanopticImgs.main()
    capsys.readouterr()
    found = annotations_from_coco(tmp_path / "cityscapes_panoptic_train.json", CITYSCAPES, CropGrid(400, 500))
    derived = derive_annotations(ImageTree(root, "train", CITYSCAPES), CropGrid(400, 500), workers=1)
    assert len(derived.images) == 4
    assert dict(found.images) == dict(derived.images)
