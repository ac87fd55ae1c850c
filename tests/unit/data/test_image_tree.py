"""Reading a Cityscapes tree."""

import cv2
import numpy as np
import pytest

from tests.unit.data.tiny_tree import CAR, PERSON, ROAD, SKY, street, write_frame
from weakpan.basics.catalog import CITYSCAPES, TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.data.image_tree import CityscapesSplit, FileTemplates, read_id_list


def split_of(root, **more):
    return CityscapesSplit(root, "train", CITYSCAPES, **more)


def label_file(root, image_id="f", kind="instanceIds"):
    return root / "gtFine" / "train" / "town" / f"{image_id}_gtFine_{kind}.png"


def test_images_of_all_cities_are_found_and_sorted(tmp_path):
    for image_id, city in (("b_1", "x"), ("a_2", "y"), ("a_1", "x")):
        write_frame(tmp_path, image_id, street(), city=city)
    (tmp_path / "leftImg8bit" / "train" / "x" / "notes.txt").write_text("no image")
    split = split_of(tmp_path)
    assert split.ids == ("a_1", "a_2", "b_1")
    assert split.image_path("a_2").parent.name == "y"
    assert split.image_size("a_1") == (20, 30)


def test_the_photograph_is_rgb(tmp_path):
    image = write_frame(tmp_path, "f", street())
    np.testing.assert_array_equal(split_of(tmp_path).image("f"), image)


def test_truth_has_train_ids_and_instance_numbers(tmp_path):
    write_frame(tmp_path, "f", street())
    truth = split_of(tmp_path).truth("f")
    names = [CITYSCAPES.train_id_named(n) for n in ("sky", "road", "car", "person")]
    for (row, column), expected in {
        (0, 0): (names[0], 0), (15, 0): (names[1], 0), (8, 3): (names[2], 1), (8, 9): (names[2], 2),
        (5, 20): (names[3], 1), (10, 26): (names[3], 0), (19, 0): (255, 0),
    }.items():  # fmt: skip
        assert (truth.semantic[row, column], truth.instances[row, column]) == expected
    assert (truth.semantic.dtype, truth.instances.dtype) == (np.uint8, np.int32)


def test_instances_of_ignored_classes_keep_their_number(tmp_path):
    raw = street()
    raw[0, :3] = 29003  # caravan
    write_frame(tmp_path, "f", raw)
    truth = split_of(tmp_path).truth("f")
    assert truth.semantic[0, 0] == 255
    assert truth.instances[0, 0] == 4


def test_a_license_plate_is_ignored(tmp_path):
    raw = street()
    raw[0, :3] = 65535
    write_frame(tmp_path, "f", raw)
    labels = np.where(raw >= 1000, raw // 1000, raw).astype(np.uint8)
    labels[0, :3] = 255
    cv2.imwrite(str(label_file(tmp_path, kind="labelIds")), labels)
    truth = split_of(tmp_path).truth("f")
    assert truth.semantic[0, :3].tolist() == [255] * 3
    assert truth.instances[0, :3].tolist() == [0] * 3


def test_maps_in_train_ids_are_read_where_there_are_no_others(tmp_path):
    raw = street()
    write_frame(tmp_path, "f", raw)
    expected = split_of(tmp_path).truth("f")
    table = {ROAD: 0, SKY: 10, PERSON: 11, CAR: 13, 1: 255}
    in_train_ids = np.zeros_like(raw)
    for value in np.unique(raw):
        number = int(value)
        new = table[number] if number < 1000 else table[number // 1000] * 1000 + number % 1000
        in_train_ids[raw == value] = new
    for kind in ("instanceIds", "labelIds"):
        label_file(tmp_path, kind=kind).unlink()
    assert not split_of(tmp_path).has_truth("f")
    cv2.imwrite(str(label_file(tmp_path, kind="instanceTrainIds")), in_train_ids)
    found = split_of(tmp_path).truth("f")
    np.testing.assert_array_equal(found.semantic, expected.semantic)
    np.testing.assert_array_equal(found.instances, expected.instances)


def test_the_instance_map_alone_is_enough(tmp_path):
    write_frame(tmp_path, "f", street())
    expected = split_of(tmp_path).truth("f")
    label_file(tmp_path, kind="labelIds").unlink()
    np.testing.assert_array_equal(split_of(tmp_path).truth("f").semantic, expected.semantic)


def test_other_names_need_only_templates(tmp_path):
    write_frame(tmp_path, "f", street(), suffix=".jpg")
    templates = FileTemplates(image="leftImg8bit/{split}/{group}/{id}_leftImg8bit.jpg")
    assert split_of(tmp_path, templates=templates).ids == ("f",)
    flat = FileTemplates(image="pictures/{split}-{id}.png")
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "train-one.png"), np.zeros((4, 6, 3), np.uint8))
    split = split_of(tmp_path, templates=flat)
    assert split.ids == ("one",)
    assert split.image_size("one") == (4, 6)


def test_a_list_chooses_and_orders(tmp_path):
    for image_id in "abc":
        write_frame(tmp_path, image_id, street())
    assert split_of(tmp_path, only_ids=("c", "a")).ids == ("c", "a")
    with pytest.raises(DataError, match=r"2 ids of the list have no image in split train .*for instance x"):
        _ = split_of(tmp_path, only_ids=("x", "a", "y")).ids


def test_missing_folders_name_the_key(tmp_path):
    with pytest.raises(DataError, match=r"data\.root=.*nowhere: no such folder"):
        _ = split_of(tmp_path / "nowhere").ids
    with pytest.raises(DataError, match=r"no image matches leftImg8bit/train/.*data\.files\.image"):
        _ = split_of(tmp_path).ids


def test_ids_are_unique_over_cities(tmp_path):
    write_frame(tmp_path, "f", street(), city="x")
    write_frame(tmp_path, "f", street(), city="y")
    with pytest.raises(DataError, match="image id f also lies in x"):
        _ = split_of(tmp_path).ids


def test_a_map_of_another_size_is_named(tmp_path):
    write_frame(tmp_path, "f", street())
    cv2.imwrite(str(label_file(tmp_path)), street(20, 32))
    with pytest.raises(DataError, match=r"f_gtFine_instanceIds\.png: 20 x 32 pixels, its image has 20 x 30"):
        split_of(tmp_path).truth("f")
    write_frame(tmp_path, "f", street())
    cv2.imwrite(str(label_file(tmp_path, kind="labelIds")), np.zeros((21, 30), np.uint8))
    with pytest.raises(DataError, match=r"f_gtFine_labelIds\.png"):
        split_of(tmp_path).truth("f")


def test_an_unknown_label_is_named(tmp_path):
    raw = street()
    raw[0, 0] = 77
    write_frame(tmp_path, "f", raw)
    with pytest.raises(DataError, match=r"f_gtFine_.*\.png: label id 77 is not in class table 'cityscapes'"):
        split_of(tmp_path).truth("f")


def test_classes_outside_a_smaller_table_are_ignored(tmp_path):
    raw = street()
    raw[0, 0] = 31  # train
    write_frame(tmp_path, "f", raw)
    assert CityscapesSplit(tmp_path, "train", TOY_CITY).truth("f").semantic[0, 0] == 255


def test_id_lists(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("b\n\n a \n")
    assert read_id_list(path) == ("b", "a")
    for content, message in (("\n", "no image id"), ("a\nb\na\n", "a occurs twice"), ("x/a\n", "'x/a' is no plain")):
        path.write_text(content)
        with pytest.raises(DataError, match=rf"ids\.txt.*{message}"):
            read_id_list(path)
    with pytest.raises(DataError, match=r"none\.txt: not readable"):
        read_id_list(tmp_path / "none.txt")
