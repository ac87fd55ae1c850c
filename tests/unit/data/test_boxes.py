"""Boxes from label maps and the ids that they get."""

import numpy as np

from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import boxes_from_maps, number_boxes

ROAD, PERSON, CAR, BUS = (CITYSCAPES.train_id_named(n) for n in ("road", "person", "car", "bus"))


def boxes_one_by_one(semantic, instances):
    """The published order, written out: ids ascending, bare classes before instances."""
    raw = np.where(instances > 0, semantic.astype(np.int64) * 1000 + instances, semantic)
    raw[semantic == 255] = 255
    found = []
    for value in sorted(set(raw.ravel().tolist()) - {255}):
        rows, columns = np.nonzero(raw == value)
        if value >= 1000:
            class_id, kind = value // 1000, BoxKind.INSTANCE
        else:
            class_id, kind = value, BoxKind.GROUP if CITYSCAPES.is_thing[value] else BoxKind.STUFF
        if kind is BoxKind.STUFF:
            rows, columns = np.array([0, semantic.shape[0] - 1]), np.array([0, semantic.shape[1] - 1])
        corners = columns.min(), rows.min(), columns.max(), rows.max()
        found.append(Box(class_id, *map(int, corners), kind))
    return tuple(found)


def test_boxes_follow_the_published_order():
    rng = np.random.default_rng(0)
    for _ in range(40):
        semantic = rng.choice([ROAD, 4, PERSON, CAR, BUS, 255], (7, 9)).astype(np.uint8)
        instances = np.where(CITYSCAPES.is_thing[semantic], rng.integers(0, 4, semantic.shape), 0).astype(np.int32)
        assert boxes_from_maps(semantic, instances, CITYSCAPES) == boxes_one_by_one(semantic, instances)


def test_numbers_of_ignored_pixels_make_no_box():
    semantic = np.array([[255, CAR]], np.uint8)
    boxes = boxes_from_maps(semantic, np.array([[7, 2]], np.int32), CITYSCAPES)
    assert boxes == (Box(CAR, 1, 0, 1, 0, BoxKind.INSTANCE),)


def test_an_image_without_labels_has_no_boxes():
    assert boxes_from_maps(np.full((2, 3), 255, np.uint8), np.zeros((2, 3), np.int32), CITYSCAPES) == ()


def test_many_instances_do_not_collide():
    # Beyond 1000 a code of class * 1000 + n would run into the next class.
    semantic = np.full((1, 1500), PERSON, np.uint8)
    semantic[0, 1400:] = CAR
    instances = np.arange(1, 1501, dtype=np.int32)[None]
    boxes = boxes_from_maps(semantic, instances, CITYSCAPES)
    assert [b.xmin for b in boxes] == list(range(1500))
    assert [b.class_id for b in boxes] == [PERSON] * 1400 + [CAR] * 100


def test_groups_and_repeats_get_no_number():
    first = Box(CAR, 0, 0, 3, 3)
    group = Box(CAR, 5, 5, 9, 9, BoxKind.GROUP)
    boxes = [Box(ROAD, 0, 0, 9, 9, BoxKind.STUFF), first, group, first, Box(PERSON, 0, 0, 3, 3), Box(CAR, 5, 5, 9, 9)]
    numbered = [(k, b.class_id, b.kind) for k, b in number_boxes(boxes)]
    # The last one repeats the group box and is left out with it.
    assert numbered == [(1, ROAD, BoxKind.STUFF), (2, CAR, BoxKind.INSTANCE), (3, PERSON, BoxKind.INSTANCE)]
