"""Images of a tree laid out like Cityscapes."""

import cv2
import numpy as np
import pytest

from tests.unit.data.tiny_tree import street, write_frame
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.image_tree import ImageTree, read_id_list
from weakpan.data.tree_files import FileTemplates


def split_of(root, **more):
    return ImageTree(root, "train", CITYSCAPES, **more)


def test_images_of_all_cities_are_found_and_sorted(tmp_path):
    for image_id, city in (("b_1", "x"), ("a_2", "y"), ("a_1", "x")):
        write_frame(tmp_path, image_id, street(), city=city)
    (tmp_path / "leftImg8bit" / "train" / "x" / "notes.txt").write_text("no image")
    split = split_of(tmp_path)
    assert split.ids == ("a_1", "a_2", "b_1")
    assert split.image_path("a_2").parent.name == "y"
    assert split.image_size("a_1") == (20, 30)


def test_the_image_is_rgb(tmp_path):
    image = write_frame(tmp_path, "f", street())
    np.testing.assert_array_equal(split_of(tmp_path).image("f"), image)


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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_id_lists_of_windows(tmp_path, encoding):
    (tmp_path / "ids.txt").write_text("ä_1\r\nb\r\n", encoding=encoding)
    assert read_id_list(tmp_path / "ids.txt") == ("ä_1", "b")
