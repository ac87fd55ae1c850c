"""Boxes and tags from label maps alone: against the published rules written out, and what is refused."""

import shutil
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.data.tiny_tree import CAR, PERSON, ROAD, SKY, street, write_frame
from weakpan.basics.catalog import CAMVID, CITYSCAPES, Catalog, ClassInfo
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import boxes_from_ids, boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_image
from weakpan.data.image_tree import LICENSE_PLATE, CityscapesSplit, FileTemplates
from weakpan.data.label_maps import LabelMaps

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
    tiles = (semantic[t.top : t.bottom, t.left : t.right] for t in grid.tiles(*semantic.shape))
    return tuple(frozenset(tile.ravel().tolist()) - {255} for tile in tiles)


def write_maps(root, image_id, raw, names=("instanceIds", "labelIds"), city="town"):
    """Label maps without a photograph; the label map says the classes of the instance map."""
    folder = root / "gtFine" / "train" / city
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        classes = np.where(raw == LICENSE_PLATE, 255, np.where(raw >= 1000, raw // 1000, raw)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{image_id}_gtFine_{name}.png"), classes if "label" in name else raw)
    return folder


def maps_of(root, catalog=CITYSCAPES, **templates):
    return LabelMaps(root, "train", catalog, FileTemplates(**templates))


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
    maps = maps_of(tmp_path, catalog)
    assert maps.boxes("frame") == (raw.shape, plain_boxes(raw, catalog))
    grid = CropGrid(5, 4)
    assert maps.tags("frame", grid) == (raw.shape, plain_tags(plain_classes(raw, catalog), grid))


@settings(FAST, max_examples=30)
@given(cases(in_train_ids=True))
def test_files_of_train_ids(tmp_path, case):
    catalog, raw = case
    write_maps(tmp_path, "frame", raw, ("instanceTrainIds", "labelTrainIds"))
    maps = maps_of(tmp_path, catalog)
    assert maps.boxes("frame") == (raw.shape, plain_boxes(raw, catalog, True))
    grid = CropGrid(5, 4)
    assert maps.tags("frame", grid) == (raw.shape, plain_tags(plain_classes(raw, catalog, True), grid))


@settings(FAST, max_examples=20)
@given(cases())
def test_the_same_as_from_real_labels_with_photographs(tmp_path, case):
    catalog, raw = case
    shutil.rmtree(tmp_path / "gtFine", ignore_errors=True)
    write_frame(tmp_path, "frame", np.where(raw == LICENSE_PLATE, 255, raw))
    entry = derive_image("frame", CityscapesSplit(tmp_path, "train", catalog), GRID)
    maps = maps_of(tmp_path, catalog)
    assert maps.boxes("frame") == ((entry.height, entry.width), entry.boxes)
    assert maps.tags("frame", GRID) == ((entry.height, entry.width), entry.tags)


def test_three_hundred_instances_of_a_class():
    raw = (26000 + np.arange(300, dtype=np.uint16)).reshape(10, 30)
    table = np.full(65536, 255, np.uint8)
    table[26000:27000] = CITYSCAPES.train_id_named("car")
    boxes = boxes_from_ids(raw, table, CITYSCAPES)
    assert len(boxes) == 300
    assert all((a.ymin, a.xmin) < (b.ymin, b.xmin) for a, b in pairwise(boxes))


class TestWhichFile:
    """Two kinds of maps, folders of any name, flat folders."""

    def test_train_ids_come_first_map_by_map(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), CAR * 1000, np.uint16))
        maps = maps_of(tmp_path)
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
        maps = LabelMaps(tmp_path, "train", CAMVID)
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
        assert maps_of(tmp_path).ids() == ("a_1", "b_1", "c_1")
        assert maps_of(tmp_path).boxes("b_1")[0] == (3, 4)

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
        maps = maps_of(tmp_path, instance_ids=template)
        assert maps.ids() == ("one", "two_2")
        assert [maps.boxes(i)[0] for i in maps.ids()] == [(3, 4)] * 2

    def test_maps_of_8_bits_and_indexed_ones(self, tmp_path):
        folder = write_maps(tmp_path, "a", np.full((3, 4), PERSON, np.uint16))
        cv2.imwrite(str(folder / "a_gtFine_instanceIds.png"), np.full((3, 4), PERSON, np.uint8))
        person = CITYSCAPES.train_id_named("person")
        assert maps_of(tmp_path).boxes("a") == ((3, 4), (Box(person, 0, 0, 3, 2, BoxKind.GROUP),))

    def test_what_is_missing_is_named(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), SKY, np.uint16), ("instanceIds", "labelTrainIds"))
        maps = maps_of(tmp_path)
        assert (maps.missing_instances("a"), maps.missing_labels("a")) == (None, None)
        assert maps.missing_instances("b").match("gtFine/train/*/b_gtFine_instanceIds.png")
        assert maps.missing_labels("b").match("gtFine/train/*/b_gtFine_labelIds.png")
        assert maps.missing_photograph("a").match("leftImg8bit/train/*/a_leftImg8bit.png")
        assert maps.photograph("a") is None
        write_frame(tmp_path, "a", street())
        assert maps_of(tmp_path).photograph("a") == tmp_path / "leftImg8bit/train/town/a_leftImg8bit.png"
        assert maps_of(tmp_path).missing_photograph("a") is None


class TestRefused:
    """Errors that name the file."""

    @pytest.fixture
    def maps(self, tmp_path):
        write_maps(tmp_path, "a", np.full((3, 4), ROAD, np.uint16))
        return maps_of(tmp_path)

    def replace(self, maps, name, values):
        path = maps.root / f"gtFine/train/town/a_gtFine_{name}.png"
        cv2.imwrite(str(path), values)
        return path

    def test_no_root(self, tmp_path):
        with pytest.raises(DataError, match=r"data\.root=.*gone: no such folder"):
            maps_of(tmp_path / "gone").ids()

    def test_no_map(self, maps):
        with pytest.raises(DataError, match=r"no instance map matches gtFine/\{split\}.*in split val.*data\.split"):
            LabelMaps(maps.root, "val", CITYSCAPES).ids()

    def test_no_map_of_an_image(self, maps):
        for read in (maps.boxes, lambda i: maps.tags(i, GRID)):
            with pytest.raises(DataError, match=r"image b: no label map .*/b_gtFine_\w+TrainIds\.png or .*Ids\.png"):
                read("b")

    @pytest.mark.parametrize("image_id", ["../a", "town/a", "/a", "..", ".", ""])
    def test_a_path(self, maps, image_id):
        for read in (maps.boxes, maps.photograph, maps.missing_instances, lambda i: maps.tags(i, GRID)):
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
        path = self.replace(maps, "labelIds", np.full((3, 4), ROAD, np.uint16))
        with pytest.raises(DataError, match=f"{path.name}: uint16; expected a label map of 8 bits"):
            maps.tags("a", GRID)

    def test_an_instance_map_of_more_than_16_bits(self, maps, monkeypatch):
        # No PNG holds so much; TIFF does.
        monkeypatch.setattr("weakpan.data.label_maps.read_map", lambda _: np.full((3, 4), 70000, np.int32))
        with pytest.raises(DataError, match="values 70000 to 70000; expected an instance map of 16 bits"):
            maps.boxes("a")
