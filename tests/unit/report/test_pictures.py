"""Pictures of maps: colours follow the class table, missing labels show, instances differ."""

from __future__ import annotations

import numpy as np
import pytest

from weakpan.basics.catalog import CAMVID, CITYSCAPES, Catalog, ClassInfo
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.data.annotations import Box, BoxKind
from weakpan.report.pictures import (
    AGAINST_COLOR,
    FOR_COLOR,
    HATCH_COLORS,
    NO_THING_COLOR,
    color_instances,
    color_masks,
    color_panoptic,
    color_semantic,
    draw_boundaries,
    draw_boxes,
    hatch,
    overlay,
    overlay_heatmap,
    semantic_of,
)
from weakpan.report.shades import instance_shades

CAR = CITYSCAPES.train_id_named("car")
ROAD = CITYSCAPES.train_id_named("road")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def two_cars() -> PanopticMap:
    ids = np.zeros((6, 8), np.int32)
    ids[3:] = 7
    ids[4, 1:3] = 20
    ids[4, 5:7] = 300
    return PanopticMap(ids, (Segment(300, CAR, 0.5), Segment(7, ROAD, 1.0), Segment(20, CAR, 0.9)))


def test_every_class_has_its_catalog_color() -> None:
    semantic = np.arange(CITYSCAPES.num_classes, dtype=np.uint8)[None]
    picture = color_semantic(semantic, CITYSCAPES)
    assert [tuple(p) for p in picture[0].tolist()] == [c.color for c in CITYSCAPES.classes]


def test_no_label_looks_like_no_class() -> None:
    picture = color_semantic(np.full((50, 70), 255, np.uint8), CITYSCAPES)
    found = {tuple(p) for p in picture.reshape(-1, 3).tolist()}
    assert found == set(HATCH_COLORS)
    colors = np.array([c.color for c in CITYSCAPES.classes], float)
    assert all(np.abs(colors - np.array(h)).sum(axis=1).min() > 60 for h in found)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 1), (300, 500), (1024, 2048)])
def test_hatch_has_both_colors_wherever_there_is_room(size: tuple[int, int]) -> None:
    pattern = hatch(*size)
    assert pattern.shape == (*size, 3)
    shown = [bool((pattern == color).all(axis=2).any()) for color in HATCH_COLORS]
    assert shown == [True, size != (1, 1)]


def test_two_instances_differ_and_the_first_has_the_class_color() -> None:
    panoptic = two_cars()
    picture = color_panoptic(panoptic, CITYSCAPES)
    first, second = picture[4, 1], picture[4, 5]
    assert tuple(first) == CITYSCAPES.classes[CAR].color
    assert np.abs(first.astype(int) - second).sum() > 40
    assert (picture[4, 5] == picture[4, 6]).all()
    assert tuple(picture[5, 0]) == CITYSCAPES.classes[ROAD].color
    np.testing.assert_array_equal(picture[0], hatch(6, 8)[0])
    np.testing.assert_array_equal(picture, color_panoptic(two_cars(), CITYSCAPES))


def test_semantic_of_a_panoptic_map() -> None:
    semantic = semantic_of(two_cars())
    assert semantic.dtype == np.uint8
    assert (semantic[0] == 255).all()
    assert semantic[4].tolist() == [ROAD, CAR, CAR, ROAD, ROAD, CAR, CAR, ROAD]


def test_an_id_without_a_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="segment 3"):
        color_panoptic(PanopticMap(np.full((2, 2), 3, np.int32), ()), CITYSCAPES)


def test_group_regions_keep_the_class_color_and_unlabelled_instances_stay_hatched() -> None:
    semantic = np.array([[CAR, CAR, CAR, 255]], np.uint8)
    picture = color_instances(semantic, np.array([[0, 4, 9, 9]], np.int32), CITYSCAPES)
    color = CITYSCAPES.classes[CAR].color
    assert tuple(picture[0, 0]) == color
    assert tuple(picture[0, 1]) == color
    assert tuple(picture[0, 2]) != color
    assert tuple(picture[0, 3]) in HATCH_COLORS


@pytest.mark.parametrize("class_id", CITYSCAPES.thing_ids)
def test_shades_are_distinct_and_show_their_class(class_id: int) -> None:
    shades = instance_shades(CITYSCAPES, class_id, 40)
    assert len(np.unique(shades, axis=0)) == 40
    assert tuple(shades[0]) == CITYSCAPES.classes[class_id].color
    # Held against scikit-image's own conversion to L*a*b*.
    from skimage.color import rgb2lab

    lab = rgb2lab(shades[None] / 255.0)[0]
    classes = rgb2lab(np.array([[c.color for c in CITYSCAPES.classes]]) / 255.0)[0]
    distance = np.linalg.norm(lab[:, None] - classes[None], axis=2)
    assert (distance.argmin(axis=1) == class_id).all()
    assert distance[:, class_id].max() < 31


def test_a_shade_does_not_depend_on_how_many_are_asked_for() -> None:
    many = instance_shades(CITYSCAPES, CAR, 100)
    for count in (1, 2, 33, 64):
        np.testing.assert_array_equal(instance_shades(CITYSCAPES, CAR, count), many[:count])


def test_shades_repeat_when_they_run_out_and_work_for_a_single_class() -> None:
    one = Catalog("one", (ClassInfo("cell", 1, (255, 255, 255), True),))
    shades = instance_shades(one, 0, 5000)
    assert shades.shape == (5000, 3)
    assert len(np.unique(shades, axis=0)) > 20


def test_masks_in_boxes_have_three_looks() -> None:
    picture = color_masks(np.array([[CAR, 254, 255]], np.uint8), CITYSCAPES)
    assert tuple(picture[0, 0]) == CITYSCAPES.classes[CAR].color
    assert tuple(picture[0, 1]) == NO_THING_COLOR
    assert tuple(picture[0, 2]) in HATCH_COLORS


def test_overlay_mixes_by_alpha_and_takes_the_color_out_where_nothing_is_known(image: np.ndarray) -> None:
    panoptic = PanopticMap(np.ones(image.shape[:2], np.int32), (Segment(1, ROAD, 1.0),))
    panoptic.ids[:, 30:] = 0
    before = image.copy()
    bare = overlay(image, panoptic, CITYSCAPES, alpha=0)
    np.testing.assert_array_equal(bare[:, :30], image[:, :30])
    assert (bare[:, 30:, 0] == bare[:, 30:, 1]).all()
    assert (bare[:, 30:, 0] == bare[:, 30:, 2]).all()
    np.testing.assert_array_equal(overlay(image, panoptic, CITYSCAPES, alpha=1), color_panoptic(panoptic, CITYSCAPES))
    half = overlay(image, panoptic, CITYSCAPES, alpha=0.5)[5, 5].astype(float)
    np.testing.assert_allclose(half, (image[5, 5] + np.array(CITYSCAPES.classes[ROAD].color)) / 2, atol=0.51)
    np.testing.assert_array_equal(image, before)


def test_overlay_of_a_panoptic_map_is_its_colors_at_full_weight() -> None:
    panoptic = two_cars()
    picture = overlay(np.zeros((6, 8, 3), np.uint8), panoptic, CITYSCAPES, alpha=1)
    np.testing.assert_array_equal(picture, color_panoptic(panoptic, CITYSCAPES))


def test_overlay_refuses_another_size_and_an_impossible_alpha(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(40, 60\).*\(4, 4\)"):
        overlay(image, PanopticMap(np.zeros((4, 4), np.int32), ()), CITYSCAPES, alpha=1)
    with pytest.raises(ValueError, match="alpha"):
        overlay(image, PanopticMap(np.zeros(image.shape[:2], np.int32), ()), CITYSCAPES, alpha=1.5)


def test_boundaries_are_white_beside_black_and_nowhere_else() -> None:
    picture = np.full((6, 6, 3), 100, np.uint8)
    ids = np.zeros((6, 6), np.int32)
    ids[:, 3:] = 1
    drawn = draw_boundaries(picture, ids)
    assert (drawn[:, 2] == 255).all()
    assert (drawn[:, 3] == 0).all()
    assert (drawn[:, [0, 1, 4, 5]] == 100).all()
    assert (picture == 100).all()


def test_boundaries_between_instances_that_one_map_cannot_tell_apart() -> None:
    picture, same = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    instances = np.repeat([[1, 1, 2, 2]], 4, axis=0).astype(np.int32)
    assert (draw_boundaries(picture, same) == 100).all()
    assert (draw_boundaries(picture, same, instances)[:, 1] == 255).all()


def test_boxes_are_drawn_on_their_inclusive_border_in_the_class_color() -> None:
    picture = np.full((30, 40, 3), 100, np.uint8)
    car = CAMVID.train_id_named("car")
    drawn = draw_boxes(picture, [Box(car, 5, 6, 20, 15)], CAMVID)
    changed = np.zeros((30, 40), bool)
    changed[6:16, 5:21] = True
    changed[7:15, 6:20] = False
    np.testing.assert_array_equal((drawn != picture).any(axis=2), changed)
    assert {tuple(p) for p in drawn[changed].tolist()} == {CAMVID.classes[car].color}
    assert (picture == 100).all()


def test_group_boxes_are_dashed_and_small_boxes_stay_on_top() -> None:
    picture = np.full((30, 40, 3), 100, np.uint8)
    car, person = CAMVID.train_id_named("car"), CAMVID.train_id_named("person")
    dashed = draw_boxes(picture, [Box(car, 2, 2, 37, 27, BoxKind.GROUP)], CAMVID)
    top = (dashed[2, 2:38] == CAMVID.classes[car].color).all(axis=1)
    assert 0 < top.sum() < len(top)
    both = draw_boxes(picture, [Box(person, 2, 2, 6, 6), Box(car, 2, 2, 37, 27)], CAMVID)
    assert tuple(both[2, 2]) == CAMVID.classes[person].color


def test_a_box_on_a_large_picture_has_a_rim_that_shows_on_its_own_color() -> None:
    car = CAMVID.train_id_named("car")
    picture = np.broadcast_to(np.array(CAMVID.classes[car].color, np.uint8), (200, 200, 3))
    drawn = draw_boxes(picture, [Box(car, 50, 50, 150, 150)], CAMVID)
    assert (drawn == 255).all(axis=2).sum() > 400


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40)])
def test_tiny_pictures_can_be_drawn_on(size: tuple[int, int]) -> None:
    picture, height, width = np.full((*size, 3), 9, np.uint8), *size
    boxes = [Box(8, 0, 0, width - 1, height - 1), Box(8, 0, 0, 0, 0, BoxKind.GROUP)]
    drawn = draw_boxes(picture, boxes, CAMVID)
    assert drawn.shape == picture.shape
    assert tuple(drawn[0, 0]) == CAMVID.classes[8].color
    ids = np.arange(height * width, dtype=np.int32).reshape(size)
    assert (draw_boundaries(picture, ids) != 9).any() == (height * width > 1)


def test_heatmaps_are_orange_where_they_speak_for_a_class_and_blue_where_against() -> None:
    image = np.full((6, 8, 3), 100, np.uint8)
    values = np.zeros((3, 4), np.float32)
    values[:, 0], values[:, 3] = 5, -2.5
    picture = overlay_heatmap(image, values)
    assert picture.shape == image.shape
    assert picture[3, 0].tolist() == list(FOR_COLOR)
    # Half as strong: half way from grey.
    assert picture[3, 7].tolist() == [round((100 + c) / 2) for c in AGAINST_COLOR]
    np.testing.assert_array_equal(overlay_heatmap(image, np.zeros((3, 4), np.float32)), image)
