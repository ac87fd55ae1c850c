"""Tables, images and boxes at the ends of what is allowed, against the plain reference."""

import numpy as np
import pytest

from tests.unit.labels.label_cases import SCORES, catalog_of
from tests.unit.labels.plain_labels import plain_labels
from weakpan.basics.arrays import NO_THING
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import BoxPrior, LowIouFill, ScoreThreshold
from weakpan.labels.encode import from_png16, to_png16
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, make_labels, published_rules

RULES = LabelRules(published_rules() | {"score_threshold": ScoreThreshold(0.5)})


def random_input(catalog, boxes, height, width, grid, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.arange(catalog.num_classes)
    tags = tuple(frozenset(c for c in ids.tolist() if rng.random() < 0.9) for _ in grid.crops(height, width))
    return LabelInput(
        rng.choice([*ids, 255], (height, width)).astype(np.uint8),
        rng.choice(SCORES, (height, width)).astype(np.float32),
        rng.choice([*catalog.thing_ids, NO_THING, 255], (height, width)).astype(np.uint8),
        ImageAnnotation("frame", height, width, tuple(boxes), tags),
    )


def assert_as_reference(inp, catalog, grid):
    made = []
    for round_index in (0, 1, 6):
        labels = make_labels(inp, RULES, catalog, grid, round_index)
        semantic, instances = plain_labels(inp, RULES, catalog, grid, round_index)
        np.testing.assert_array_equal(labels.semantic, semantic)
        np.testing.assert_array_equal(labels.instances, instances)
        made.append(labels)
    return made


def random_boxes(count, catalog, height, width, largest, kind=BoxKind.INSTANCE):
    rng = np.random.default_rng(count)
    boxes = []
    for _ in range(count):
        xmin, ymin = int(rng.integers(width)), int(rng.integers(height))
        xmax = min(width - 1, xmin + int(rng.integers(largest)))
        ymax = min(height - 1, ymin + int(rng.integers(largest)))
        boxes.append(Box(int(rng.choice(catalog.thing_ids)), xmin, ymin, xmax, ymax, kind))
    return boxes


@pytest.mark.parametrize("count", [254, 255, 300, 1100])
def test_instances_beyond_8_bits_and_beyond_a_thousand(count):
    catalog, grid = catalog_of(True, False, True), CropGrid(20, 25)
    inp = random_input(catalog, random_boxes(count, catalog, 48, 64, 6), 48, 64, grid)
    for labels in assert_as_reference(inp, catalog, grid):
        assert labels.instances.max() > count * 0.9
        np.testing.assert_array_equal(from_png16(to_png16(labels.instances)), labels.instances)


@pytest.mark.parametrize(
    "kinds",
    [
        [True] + [False] * 253,
        [False] * 253 + [True],
        [i % 2 == 0 for i in range(254)],
        [True] * 254,
    ],
    ids=["first is the thing", "last is the thing", "in turns", "all things"],
)
def test_table_of_254_classes(kinds):
    catalog, grid = catalog_of(*kinds), CropGrid(9, 9)
    boxes = random_boxes(30, catalog, 24, 24, 12)
    boxes += [Box(c, 0, 0, 23, 23, BoxKind.STUFF) for c in catalog.stuff_ids]
    for labels in assert_as_reference(random_input(catalog, boxes, 24, 24, grid), catalog, grid):
        assert np.isin(labels.semantic, catalog.thing_ids).any()


@pytest.mark.parametrize("thing", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (3, 2)])
def test_table_of_one_class_on_images_smaller_than_a_crop(thing, size):
    catalog, grid = catalog_of(thing), CropGrid(40, 50)
    whole = Box(0, 0, 0, size[1] - 1, size[0] - 1, BoxKind.INSTANCE if thing else BoxKind.STUFF)
    for boxes in ([], [whole], [whole, whole]):
        assert_as_reference(random_input(catalog, boxes, *size, grid), catalog, grid)


def test_groups_alone_keep_things_and_give_no_instance():
    catalog, grid = catalog_of(False, True), CropGrid(40, 50)
    boxes = random_boxes(5, catalog, 20, 20, 12, BoxKind.GROUP)
    for labels in assert_as_reference(random_input(catalog, boxes, 20, 20, grid), catalog, grid):
        assert (labels.semantic == 1).any()
        assert set(np.unique(labels.instances)) == {-1, 0}


def test_without_boxes_no_thing_is_left():
    catalog, grid = catalog_of(True, False, True), CropGrid(5, 5)
    for labels in assert_as_reference(random_input(catalog, [], 12, 13, grid), catalog, grid):
        assert set(np.unique(labels.semantic)) == {1, 255}


@pytest.mark.parametrize("corners", [(4, 2, 4, 9), (2, 4, 9, 4), (0, 0, 0, 0), (0, 0, 0, 11), (11, 11, 11, 11)])
def test_boxes_one_pixel_wide_keep_their_pixels_and_gain_none(corners):
    catalog, grid = catalog_of(True, False), CropGrid(20, 20)
    box = Box(0, *corners)
    inp = random_input(catalog, [box], 12, 12, grid)
    inp.prediction[box.slices] = 0
    inp.prediction[box.ymin, box.xmin] = 1
    inp.masks[:] = 255
    rules = LabelRules({"box_prior": BoxPrior(), "low_iou_fill": LowIouFill()})
    labels = make_labels(inp, rules, catalog, grid, 1)
    assert (labels.semantic[box.slices] == 0).sum() == box.area - 1
    assert_as_reference(inp, catalog, grid)
