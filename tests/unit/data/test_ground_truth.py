"""Ground truth: boxes and tags against the published rules written out, which file is read, and what is refused."""

import shutil
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.data.tiny_tree import CAR, PERSON, ROAD, SKY, street, write_frame
from weakpan.basics.catalog import CAMVID, CITYSCAPES, TOY_CITY, Catalog, ClassInfo
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import boxes_from_ids, boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_image
from weakpan.data.ground_truth import LICENSE_PLATE, GroundTruth
from weakpan.data.tree_files import FileTemplates

GRID = CropGrid(8, 12)
FAST = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def cases(draw, in_train_ids=False):
    """A class table, and a map of bare classes, numbered things and stuff, ignored classes and licence plates.

    Dataset ids come in another order than train ids. Instances of class 0 cannot be told from classes, and those of
    classes above 65 do not fit 16 bits.
    """
    things = draw(st.lists(st.booleans(), min_size=1, max_size=5))
    if in_train_ids:
        things = [False, *things]
    ids = range(8) if in_train_ids else draw(st.permutations([1, 2, 9, 24, 26, 33, 64, 65]))
    classes = tuple(ClassInfo(f"c{k}", ids[k], (k, 0, 0), thing) for k, thing in enumerate(things))
    ignored = frozenset() if in_train_ids else frozenset(ids[len(things) :])
    catalog = Catalog("test", classes, ignored)
    known = sorted({c.dataset_id for c in classes} | set(list(ignored)[:1]))
    regions = draw(st.lists(st.tuples(st.sampled_from(known), st.integers(-2, 3)), min_size=1, max_size=8))
    values = [c if n < 0 or c == 0 else c * 1000 + [0, 1, 2, 534][n] for c, n in regions]
    values += draw(st.lists(st.sampled_from([255, LICENSE_PLATE]), max_size=2))
    height, width, block = draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.choice(values, (-(-height // block), -(-width // block)))
    return catalog, coarse.repeat(block, 0).repeat(block, 1)[:height, :width].astype(np.uint16)


def plain_classes(raw, catalog, in_train_ids=False):
    """Train id of every pixel, 255 for none."""
    train_id_of = {k if in_train_ids else c.dataset_id: k for k, c in enumerate(catalog.classes)}
    semantic = np.full(raw.shape, 255, np.uint8)
    for place, value in np.ndenumerate(raw):
        if value != LICENSE_PLATE:
            semantic[place] = train_id_of.get(int(value) // 1000 if value >= 1000 else int(value), 255)
    return semantic


def plain_boxes(raw, catalog, in_train_ids=False):
    """Ids ascending: bare classes first, then instances, each by class and number; stuff once, over the whole image."""
    semantic, pixels = plain_classes(raw, catalog, in_train_ids), {}
    for (y, x), value in np.ndenumerate(raw):
        class_id = int(semantic[y, x])
        if class_id == 255:
            continue
        is_instance = value >= 1000 and catalog.classes[class_id].is_thing
        pixels.setdefault((is_instance, class_id, int(value) % 1000 if is_instance else 0), []).append((x, y))
    boxes = []
    for (is_instance, class_id, _), places in sorted(pixels.items()):
        columns, rows = zip(*places, strict=True)
        if catalog.classes[class_id].is_thing:
            kind = BoxKind.INSTANCE if is_instance else BoxKind.GROUP
            boxes.append(Box(class_id, min(columns), min(rows), max(columns), max(rows), kind))
        else:
            boxes.append(Box(class_id, 0, 0, raw.shape[1] - 1, raw.shape[0] - 1, BoxKind.STUFF))
    return tuple(boxes)


def plain_tags(semantic, grid):
    crops = (semantic[t.top : t.bottom, t.left : t.right] for t in grid.crops(*semantic.shape))
    return tuple(frozenset(crop.ravel().tolist()) - {255} for crop in crops)


def write_maps(root, image_id, raw, names=("instanceIds", "labelIds"), city="town"):
    """Label maps without a image; the label map says the classes of the instance map."""
    folder = root / "gtFine" / "train" / city
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        classes = np.where(raw == LICENSE_PLATE, 255, np.where(raw >= 1000, raw // 1000, raw)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{image_id}_gtFine_{name}.png"), classes if "label" in name else raw)
    return folder


def truth_of(root, catalog=CITYSCAPES, **templates):
    return GroundTruth(root, "train", catalog, FileTemplates(**templates))


@settings(FAST, max_examples=150)
@given(cases())
def test_boxes_from_ids_follow_the_published_order(case):
    catalog, raw = case
    semantic = plain_classes(raw, catalog)
    table = np.full(65536, 255, np.uint8)
    table[raw.ravel()] = semantic.ravel()
    before = raw.copy()
    found = boxes_from_ids(raw, table, catalog)
    assert found == plain_boxes(raw, catalog)
    numbered = np.where((raw >= 1000) & np.isin(semantic, catalog.thing_ids), raw % 1000 + 1, 0).astype(np.int32)
    assert found == boxes_from_maps(semantic, numbered, catalog)
    assert all(type(v) is int for b in found for v in (b.class_id, b.xmin, b.ymin, b.xmax, b.ymax))
    np.testing.assert_array_equal(raw, before)


@settings(FAST, max_examples=30)
@given(cases())
def test_files_of_dataset_ids(tmp_path, case):
    catalog, raw = case
    write_maps(tmp_path, "frame", raw)
    maps = truth_of(tmp_path, catalog)
    assert maps.boxes("frame") == (raw.shape, plain_boxes(raw, catalog))
    grid = CropGrid(5, 4)
    assert maps.tags("frame", grid) == (raw.shape, plain_tags(plain_classes(raw, catalog), grid))


@settings(FAST, max_examples=30)
@given(cases(in_train_ids=True))
def test_files_of_train_ids(tmp_path, case):
    catalog, raw = case
    write_maps(tmp_path, "frame", raw, ("instanceTrainIds", "labelTrainIds"))
    maps = truth_of(tmp_path, catalog)
    assert maps.boxes("frame") == (raw.shape, plain_boxes(raw, catalog, True))
    grid = CropGrid(5, 4)
    assert maps.tags("frame", grid) == (raw.shape, plain_tags(plain_classes(raw, catalog, True), grid))


@settings(FAST, max_examples=20)
@given(cases())
def test_the_same_as_from_real_labels_with_photographs(tmp_path, case):
    catalog, raw = case
    shutil.rmtree(tmp_path / "gtFine", ignore_errors=True)
    write_frame(tmp_path, "frame", np.where(raw == LICENSE_PLATE, 255, raw))
    entry = derive_image("frame", truth_of(tmp_path, catalog), GRID)
    maps = GroundTruth(tmp_path, "train", catalog)
    assert maps.boxes("frame") == ((entry.height, entry.width), entry.boxes)
    assert maps.tags("frame", GRID) == ((entry.height, entry.width), entry.tags)


def test_three_hundred_instances_of_a_class():
    raw = (26000 + np.arange(300, dtype=np.uint16)).reshape(10, 30)
    table = np.full(65536, 255, np.uint8)
    table[26000:27000] = CITYSCAPES.train_id_named("car")
    boxes = boxes_from_ids(raw, table, CITYSCAPES)
    assert len(boxes) == 300
    assert all((a.ymin, a.xmin) < (b.ymin, b.xmin) for a, b in pairwise(boxes))


def label_file(root, image_id="f", kind="instanceIds"):
    return root / "gtFine" / "train" / "town" / f"{image_id}_gtFine_{kind}.png"


def test_truth_has_train_ids_and_instance_numbers(tmp_path):
    write_frame(tmp_path, "f", street())
    truth = truth_of(tmp_path).panoptic("f")
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
    truth = truth_of(tmp_path).panoptic("f")
    assert truth.semantic[0, 0] == 255
    assert truth.instances[0, 0] == 4


def test_a_license_plate_is_ignored(tmp_path):
    raw = street()
    raw[0, :3] = 65535
    write_frame(tmp_path, "f", raw)
    labels = np.where(raw >= 1000, raw // 1000, raw).astype(np.uint8)
    labels[0, :3] = 255
    cv2.imwrite(str(label_file(tmp_path, kind="labelIds")), labels)
    truth = truth_of(tmp_path).panoptic("f")
    assert truth.semantic[0, :3].tolist() == [255] * 3
    assert truth.instances[0, :3].tolist() == [0] * 3


def test_maps_in_train_ids_are_read_where_there_are_no_others(tmp_path):
    raw = street()
    write_frame(tmp_path, "f", raw)
    expected = truth_of(tmp_path).panoptic("f")
    table = {ROAD: 0, SKY: 10, PERSON: 11, CAR: 13, 1: 255}
    in_train_ids = np.zeros_like(raw)
    for value in np.unique(raw):
        number = int(value)
        new = table[number] if number < 1000 else table[number // 1000] * 1000 + number % 1000
        in_train_ids[raw == value] = new
    for kind in ("instanceIds", "labelIds"):
        label_file(tmp_path, kind=kind).unlink()
    assert not truth_of(tmp_path).has("f")
    cv2.imwrite(str(label_file(tmp_path, kind="instanceTrainIds")), in_train_ids)
    found = truth_of(tmp_path).panoptic("f")
    np.testing.assert_array_equal(found.semantic, expected.semantic)
    np.testing.assert_array_equal(found.instances, expected.instances)


def test_the_instance_map_alone_is_enough(tmp_path):
    write_frame(tmp_path, "f", street())
    expected = truth_of(tmp_path).panoptic("f")
    label_file(tmp_path, kind="labelIds").unlink()
    np.testing.assert_array_equal(truth_of(tmp_path).panoptic("f").semantic, expected.semantic)


def test_a_map_of_another_size_is_named(tmp_path):
    write_frame(tmp_path, "f", street())
    cv2.imwrite(str(label_file(tmp_path)), street(20, 32))
    with pytest.raises(DataError, match=r"f_gtFine_instanceIds\.png: 20 x 32 pixels .*its image has 20 x 30"):
        truth_of(tmp_path).panoptic("f")
    write_frame(tmp_path, "f", street())
    cv2.imwrite(str(label_file(tmp_path, kind="labelIds")), np.zeros((21, 30), np.uint8))
    with pytest.raises(DataError, match=r"f_gtFine_labelIds\.png"):
        truth_of(tmp_path).panoptic("f")


def test_an_unknown_label_is_named(tmp_path):
    raw = street()
    raw[0, 0] = 77
    write_frame(tmp_path, "f", raw)
    with pytest.raises(DataError, match=r"f_gtFine_.*\.png: label id 77 is not in class table 'cityscapes'"):
        truth_of(tmp_path).panoptic("f")


def test_classes_outside_a_smaller_table_are_ignored(tmp_path):
    raw = street()
    raw[0, 0] = 31  # train
    write_frame(tmp_path, "f", raw)
    assert GroundTruth(tmp_path, "train", TOY_CITY).panoptic("f").semantic[0, 0] == 255


class TestWhichFile:
    """Two kinds of maps, folders of any name, flat folders."""

    def test_train_ids_come_first_map_by_map(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), CAR * 1000, np.uint16))
        maps = truth_of(tmp_path)
        car, person = (CITYSCAPES.train_id_named(n) for n in ("car", "person"))
        assert [b.class_id for b in maps.boxes("a")[1]] == [car]
        write_maps(tmp_path, "a", np.full((3, 4), person * 1000 + 1, np.uint16), ("instanceTrainIds",))
        assert [b.class_id for b in maps.boxes("a")[1]] == [person]
        # Tags still have no other map than that of dataset ids.
        assert maps.tags("a", GRID)[1] == (frozenset({car}),)
        write_maps(tmp_path, "a", np.full((3, 4), person, np.uint16), ("labelTrainIds",))
        assert maps.tags("a", GRID)[1] == (frozenset({person}),)

    def test_train_ids_of_another_table_do_not_come_first(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), CAR * 1000, np.uint16))
        # 3 is a wall among Cityscapes' train ids, and a fence in the table that is read with.
        write_maps(tmp_path, "a", np.full((3, 4), 3, np.uint16), ("instanceTrainIds", "labelTrainIds"))
        maps = GroundTruth(tmp_path, "train", CAMVID)
        car = CAMVID.train_id_named("car")
        assert [b.class_id for b in maps.boxes("a")[1]] == [car]
        assert maps.tags("a", GRID)[1] == (frozenset({car}),)

    def test_ids_of_both_kinds_in_all_folders_sorted(self, tmp_path):
        raw = np.full((3, 4), ROAD, np.uint16)
        write_maps(tmp_path, "b_1", raw, city="z")
        write_maps(tmp_path, "a_1", raw, city="town")
        write_maps(tmp_path, "c_1", np.zeros_like(raw), ("instanceTrainIds",))
        write_maps(tmp_path, "b_1", np.zeros_like(raw), ("instanceTrainIds",), city="z")
        # No instance map, and what a writer that was killed left behind.
        folder = write_maps(tmp_path, "d_1", raw, ("labelIds",))
        (folder / ".e_1_gtFine_instanceIds.77.png").write_bytes(b"half")
        assert truth_of(tmp_path).ids() == ("a_1", "b_1", "c_1")
        assert truth_of(tmp_path).boxes("b_1")[0] == (3, 4)

    @pytest.mark.parametrize(
        "template",
        [
            "{split}/{id}.png", "{split}/{group}/{id}_x.png", "{id}/{split}.png", "{group}/{group}_{id}.png",
            "{split}/{id}/{id}_ids.png", "a+b/{id}(1)_{split}.png", "{split}_{group}/{id}.png", "{id}/{group}/{id}.png",
        ],
    )  # fmt: skip
    def test_any_layout(self, tmp_path, template):
        for image_id in ("one", "two_2"):
            path = tmp_path / template.format(split="train", group="set", id=image_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((3, 4), CAR * 1000, np.uint16))
        maps = truth_of(tmp_path, instance_ids=template)
        assert maps.ids() == ("one", "two_2")
        assert [maps.boxes(i)[0] for i in maps.ids()] == [(3, 4)] * 2

    def test_maps_of_8_bits_and_indexed_ones(self, tmp_path):
        folder = write_maps(tmp_path, "a", np.full((3, 4), PERSON, np.uint16))
        cv2.imwrite(str(folder / "a_gtFine_instanceIds.png"), np.full((3, 4), PERSON, np.uint8))
        person = CITYSCAPES.train_id_named("person")
        assert truth_of(tmp_path).boxes("a") == ((3, 4), (Box(person, 0, 0, 3, 2, BoxKind.GROUP),))

    def test_what_is_missing_is_named(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), SKY, np.uint16), ("instanceIds", "labelTrainIds"))
        maps = truth_of(tmp_path)
        assert (maps.missing_instances("a"), maps.missing_classes("a")) == (None, None)
        assert maps.missing_instances("b").match("gtFine/train/*/b_gtFine_instanceIds.png")
        assert maps.missing_classes("b").match("gtFine/train/*/b_gtFine_labelIds.png")
        assert [path.name for path in maps.files("a")] == ["a_gtFine_instanceIds.png", "a_gtFine_labelTrainIds.png"]

    def test_scores_are_against_dataset_ids_of_any_table(self, tmp_path):
        """Official scores are; of train ids only where there are no others, both maps of one kind."""
        car, person = (CITYSCAPES.train_id_named(n) for n in ("car", "person"))
        write_maps(tmp_path, "a", np.full((3, 4), person * 1000 + 1, np.uint16), ("instanceTrainIds", "labelTrainIds"))
        assert (truth_of(tmp_path).panoptic("a").semantic == person).all()
        assert (truth_of(tmp_path).panoptic("a").instances == 2).all()
        write_maps(tmp_path, "a", np.full((3, 4), CAR * 1000, np.uint16), ("instanceIds",))
        found = truth_of(tmp_path).panoptic("a")
        assert (found.semantic == car).all()
        assert (found.instances == 1).all()
        assert (truth_of(tmp_path).classes("a") == car).all()

    def test_an_instance_map_stands_for_a_label_map(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), CAR * 1000, np.uint16), ("instanceIds",))
        assert truth_of(tmp_path).tags("a", GRID) == ((3, 4), (frozenset({CITYSCAPES.train_id_named("car")}),))

    def test_classes_need_no_instances(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), ROAD, np.uint16), ("labelIds",))
        maps = truth_of(tmp_path)
        assert (maps.classes("a") == CITYSCAPES.train_id_named("road")).all()
        assert (maps.has("a"), maps.missing_classes("a")) == (False, None)
        with pytest.raises(DataError, match=r"image a: no label map .*instanceIds"):
            maps.panoptic("a")


class TestRefused:
    """Errors that name the file."""

    @pytest.fixture
    def maps(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), ROAD, np.uint16))
        return truth_of(tmp_path)

    def replace(self, maps, name, values):
        path = maps.root / f"gtFine/train/town/a_gtFine_{name}.png"
        cv2.imwrite(str(path), values)
        return path

    def test_no_root(self, tmp_path):
        with pytest.raises(DataError, match=r"data\.root=.*gone: no such folder"):
            truth_of(tmp_path / "gone").ids()

    def test_no_map(self, maps):
        with pytest.raises(DataError, match=r"no instance map matches gtFine/\{split\}.*in split val.*data\.files"):
            GroundTruth(maps.root, "val", CITYSCAPES).ids()

    def test_no_map_of_an_image(self, maps):
        for read in (maps.boxes, lambda i: maps.tags(i, GRID)):
            with pytest.raises(DataError, match=r"image b: no label map .*/b_gtFine_\w+TrainIds\.png or .*Ids\.png"):
                read("b")

    @pytest.mark.parametrize("image_id", ["../a", "town/a", "/a", "..", ".", ""])
    def test_a_path(self, maps, image_id):
        for read in (maps.boxes, maps.panoptic, maps.missing_instances, lambda i: maps.tags(i, GRID)):
            with pytest.raises(DataError, match="is no plain file name"):
                read(image_id)

    @pytest.mark.parametrize("name", ["instanceIds", "labelIds", "instanceTrainIds", "labelTrainIds"])
    def test_a_value_outside_the_table(self, maps, name):
        path = self.replace(maps, name, np.full((3, 4), 77, np.uint8))
        with pytest.raises(DataError, match=r"id 77 is .*class table 'cityscapes'") as caught:
            maps.boxes("a") if "instance" in name else maps.tags("a", GRID)
        assert str(caught.value).startswith(f"{path}: ")

    @pytest.mark.parametrize(("name", "value"), [("instanceIds", 60001), ("instanceTrainIds", 19001)])
    def test_an_instance_outside_the_table(self, maps, name, value):
        path = self.replace(maps, name, np.full((3, 4), value, np.uint16))
        with pytest.raises(DataError, match=f"{path.name}: .*id {value // 1000} is"):
            maps.boxes("a")

    @pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda _: b"no image", lambda _: b""])
    def test_a_damaged_file(self, maps, damage):
        for name, read in (("instanceIds", maps.boxes), ("labelIds", lambda i: maps.tags(i, GRID))):
            path = maps.root / f"gtFine/train/town/a_gtFine_{name}.png"
            path.write_bytes(damage(path.read_bytes()))
            with pytest.raises(DataError, match=f"{path.name}: not a readable image"):
                read("a")

    def test_colours(self, maps):
        path = self.replace(maps, "instanceIds", np.zeros((3, 4, 3), np.uint8))
        with pytest.raises(DataError, match=f"{path.name}: a label map has one channel"):
            maps.boxes("a")

    def test_a_label_map_of_16_bits(self, maps):
        self.replace(maps, "labelIds", np.full((3, 4), ROAD, np.uint16))
        assert maps.tags("a", GRID)[1] == (frozenset({CITYSCAPES.train_id_named("road")}),)

    def test_an_instance_map_of_more_than_16_bits(self, maps, monkeypatch):
        # No PNG holds so much; TIFF does.
        monkeypatch.setattr("weakpan.data.ground_truth.read_map", lambda _: np.full((3, 4), 70000, np.int32))
        with pytest.raises(DataError, match="values 70000 to 70000; expected a label map of 16 bits"):
            maps.boxes("a")
