"""Toy scenes are what the rest of the project takes them for; toy cities are drawn once and never into another tree."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError, DataError
from weakpan.storage.images import read_map, read_rgb
from weakpan.toy_city import city as toy_city
from weakpan.toy_city.city import SEAL, ToyCitySpec, ensure_toy_city
from weakpan.toy_city.scene import draw_scene

SMALL = ToyCitySpec(seed=3, height=64, width=96, train=2, val=1)


def _files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng([7, i]), 160, 320) for i in range(36)]


@pytest.fixture(scope="module")
def train_ids(scenes):
    return [TOY_CITY.to_train_ids(s.label_ids, "scene") for s in scenes]


@pytest.fixture
def city(tmp_path):
    ensure_toy_city(tmp_path / "city", SMALL)
    return tmp_path / "city"


def _instances(scene):
    for number in np.unique(scene.instance_ids[scene.instance_ids >= 1000]):
        yield int(number), scene.instance_ids == number


def _bounds(mask):
    ys, xs = np.nonzero(mask)
    return ys.min(), ys.max() + 1, xs.min(), xs.max() + 1


def test_a_scene_depends_on_the_generator_only():
    first, again, other = (draw_scene(np.random.default_rng(s), 96, 150) for s in (5, 5, 6))
    for key, dtype in (("image", np.uint8), ("label_ids", np.uint8), ("instance_ids", np.uint16)):
        assert getattr(first, key).dtype == dtype
        assert getattr(first, key).shape[:2] == (96, 150)
        np.testing.assert_array_equal(getattr(first, key), getattr(again, key))
    assert (first.image != other.image).any()


def test_label_ids_are_classes_or_void_of_the_table(scenes, train_ids):
    assert {int(v) for ids in train_ids for v in np.unique(ids)} == {*range(TOY_CITY.num_classes), IGNORE}
    void = {int(v) for s in scenes for v in np.unique(s.label_ids)} - {c.dataset_id for c in TOY_CITY.classes}
    assert void <= TOY_CITY.ignored_dataset_ids
    assert {1, 3, 4} <= void  # ego vehicle, out of roi, static


def test_instance_ids_agree_with_label_ids(scenes):
    things = {TOY_CITY.classes[i].dataset_id for i in TOY_CITY.thing_ids}
    groups = 0
    for scene in scenes:
        ids = scene.instance_ids.astype(int)
        single = ids >= 1000
        np.testing.assert_array_equal(np.where(single, ids // 1000, ids), scene.label_ids)
        assert set(np.unique(scene.label_ids[single])) <= things
        for label in things:
            numbers = np.unique(ids[single & (scene.label_ids == label)]) - 1000 * label
            np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
        groups += np.isin(ids, list(things)).any()
    assert 2 <= groups <= 20  # of 36; 22 % of the images over a whole city


def test_instances_are_neither_slivers_nor_all_of_one_size(scenes):
    masks = [mask for scene in scenes for _, mask in _instances(scene)]
    assert min(mask.sum() for mask in masks) >= 10
    heights = np.array([_bounds(m)[1] - _bounds(m)[0] for m in masks])
    assert ((heights >= 15) & (heights <= 60)).mean() > 0.55
    assert (heights < 12).mean() > 0.02


def test_every_class_is_common(train_ids):
    present = {n: np.mean([(ids == i).any() for ids in train_ids]) for i, n in enumerate(TOY_CITY.names)}
    for name, least in {"person": 0.6, "rider": 0.4, "car": 0.8, "bicycle": 0.45, "pole": 0.8}.items():
        assert present.pop(name) >= least, name
    assert min(present.values()) > 0.9, present


def _mean_iou_by_color(scenes, train_ids, fitted):
    """Score (mIoU) of the most frequent class of every quantised colour, counted on the first scenes, on the others."""
    codes = [(s.image.astype(int) // 16 * (1, 16, 256)).sum(axis=2) for s in scenes]
    counts = np.zeros((4096, TOY_CITY.num_classes))
    for code, ids in zip(codes[:fitted], train_ids[:fitted], strict=True):
        np.add.at(counts, (code[ids != IGNORE], ids[ids != IGNORE]), 1)
    matrix = np.zeros((TOY_CITY.num_classes,) * 2)
    for code, ids in zip(codes[fitted:], train_ids[fitted:], strict=True):
        np.add.at(matrix, (ids[ids != IGNORE], counts.argmax(axis=1)[code[ids != IGNORE]]), 1)
    hits = np.diag(matrix)
    return (hits / (matrix.sum(axis=0) + matrix.sum(axis=1) - hits)).mean()


def test_colour_alone_does_not_tell_the_classes_apart(scenes, train_ids):
    assert _mean_iou_by_color(scenes, train_ids, 26) < 0.2  # measured: 0.12
    everything_is_building = np.mean([(ids == TOY_CITY.train_id_named("building")).mean() for ids in train_ids])
    assert everything_is_building < 0.5


def test_neither_a_box_nor_its_ellipse_is_the_mask(scenes):
    boxes, ellipses = {}, {}
    for scene in scenes:
        for number, mask in _instances(scene):
            top, bottom, left, right = _bounds(mask)
            if min(bottom - top, right - left) < 6:
                continue
            inside = mask[top:bottom, left:right]
            y = (np.arange(bottom - top) + 0.5) / (bottom - top) * 2 - 1
            x = (np.arange(right - left) + 0.5) / (right - left) * 2 - 1
            ellipse = y[:, None] ** 2 + x[None] ** 2 <= 1
            boxes.setdefault(number // 1000, []).append(inside.mean())
            ellipses.setdefault(number // 1000, []).append((inside & ellipse).sum() / (inside | ellipse).sum())
    for by_class in (boxes, ellipses):
        assert set(by_class) == {24, 25, 26, 33}
        assert max(np.mean(v) for v in by_class.values()) < 0.75
        assert min(np.mean(v) for v in by_class.values()) > 0.2


def test_the_colours_change_where_the_labels_do(scenes):
    """Labels that were shifted against the image would have their edges where the image is smooth."""
    contrast = {}
    for shift in (-2, -1, 0, 1, 2):
        steps = []
        for scene in scenes[:12]:
            step = np.abs(np.diff(scene.image.astype(int), axis=1)).sum(axis=2)
            edge = np.roll(np.diff(scene.instance_ids.astype(int), axis=1) != 0, shift, axis=1)
            steps.append(step[:, 4:-4][edge[:, 4:-4]].mean())
        contrast[shift] = np.mean(steps)
    assert max(contrast, key=contrast.get) == 0
    assert contrast[0] > 1.4 * max(contrast[-2], contrast[2])


def test_a_city_is_a_readable_cityscapes_tree(city):
    images = sorted((city / "leftImg8bit").rglob("*.png"))
    assert [p.relative_to(city / "leftImg8bit").as_posix() for p in images] == [
        "train/toyville/toyville_000000_000019_leftImg8bit.png",
        "train/toyville/toyville_000001_000019_leftImg8bit.png",
        "val/toyville/toyville_500000_000019_leftImg8bit.png",
    ]
    for path in images:
        stem = path.name.removesuffix("_leftImg8bit.png")
        labels = city / "gtFine" / path.parent.relative_to(city / "leftImg8bit")
        label_ids = read_map(labels / f"{stem}_gtFine_labelIds.png")
        instance_ids = read_map(labels / f"{stem}_gtFine_instanceIds.png")
        assert (label_ids.dtype, instance_ids.dtype) == (np.uint8, np.uint16)
        assert read_rgb(path).shape == (64, 96, 3)
        np.testing.assert_array_equal(np.where(instance_ids >= 1000, instance_ids // 1000, instance_ids), label_ids)
        TOY_CITY.to_train_ids(label_ids, str(path))


def test_the_files_do_not_depend_on_the_number_of_processes(tmp_path):
    spec = ToyCitySpec(seed=1, height=64, width=80, train=20, val=8)
    for name, processes in (("one", 1), ("two", 2)):
        ensure_toy_city(tmp_path / name, spec, processes)
    one = _files(tmp_path / "one")
    assert len(one) == 28 * 3 + 1
    assert one == _files(tmp_path / "two")


def test_an_image_depends_on_its_split_and_number_only(city, tmp_path):
    ensure_toy_city(tmp_path / "more", ToyCitySpec(seed=3, height=64, width=96, train=3, val=1))
    more, few = _files(tmp_path / "more"), _files(city)
    shared = set(few) - {SEAL}
    assert len(shared) == 9
    assert all(more[name] == few[name] for name in shared)
    assert len({more[name] for name in more if name.startswith("leftImg8bit")}) == 4


def test_a_sealed_city_is_left_alone(city):
    mask = next((city / "gtFine").rglob("*labelIds.png"))
    mask.unlink()
    before = _files(city)
    ensure_toy_city(city, SMALL)
    assert _files(city) == before


def test_an_interrupted_city_is_drawn_again(city):
    whole = _files(city)
    (city / SEAL).unlink()
    train = city / "leftImg8bit" / "train" / "toyville"
    (train / "toyville_000000_000019_leftImg8bit.png").write_bytes(b"half")
    (train / "toyville_000099_000019_leftImg8bit.png").write_bytes(b"of a larger city")
    (train / ".toyville_000001_000019_leftImg8bit.4711.png").write_bytes(b"of a killed writer")
    (city / "weak.json").write_text("made from it")
    ensure_toy_city(city, SMALL)
    assert _files(city) == {**whole, "weak.json": b"made from it"}


@pytest.mark.parametrize("change", [{"seed": 4}, {"train": 3}, {"height": 65}])
def test_another_city_is_refused(city, change):
    before = _files(city)
    with pytest.raises(DataError, match=r"holds another toy city.*data\.root") as caught:
        ensure_toy_city(city, ToyCitySpec(**{**json.loads(before[SEAL])["spec"], **change}))
    key, value = next(iter(change.items()))
    assert str(city) in str(caught.value)
    assert f'"{key}": {value}' in str(caught.value)
    assert f'"{key}": {getattr(SMALL, key)}' in str(caught.value)
    assert _files(city) == before


def test_a_city_of_another_generator_is_refused(city):
    seal = json.loads((city / SEAL).read_text())
    (city / SEAL).write_text(json.dumps({**seal, "version": 0}))
    with pytest.raises(DataError, match='"version": 0'):
        ensure_toy_city(city, SMALL)
    (city / SEAL).write_text("{")
    with pytest.raises(DataError, match="not readable as the seal"):
        ensure_toy_city(city, SMALL)


@pytest.mark.parametrize(
    "name",
    [
        "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png",
        "gtFine/val/toyville/notes.txt",
        "gtFine/train/toyville/toyville_000000_000019_gtFine_polygons.json",
    ],
)
def test_a_folder_of_another_data_set_is_refused_untouched(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"theirs")
    with pytest.raises(DataError, match=path.name):
        ensure_toy_city(tmp_path, SMALL)
    assert _files(tmp_path) == {name: b"theirs"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "city").write_text("")
    with pytest.raises(DataError, match="is a file"):
        ensure_toy_city(tmp_path / "city", SMALL)


def test_a_failing_process_leaves_no_seal(tmp_path, monkeypatch):
    monkeypatch.setattr(toy_city, "_help_drawing", sys.exit)
    with pytest.raises(DataError, match="a process that draws the toy city failed"):
        ensure_toy_city(tmp_path, ToyCitySpec(height=64, width=64, train=16, val=8), processes=2)
    assert not (tmp_path / SEAL).exists()


@pytest.mark.parametrize("change", [{"height": 63}, {"width": 0}, {"train": 0}, {"val": 500_001}, {"seed": -1}])
def test_a_spec_out_of_range_is_refused(change):
    key, value = next(iter(change.items()))
    with pytest.raises(ConfigError, match=f"data.toy.{key}={value}:"):
        ToyCitySpec(**change)
