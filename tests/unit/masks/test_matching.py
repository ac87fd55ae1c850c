"""Loose masks and boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.masks.drawn_objects import tight_box
from weakpan.basics.arrays import NO_THING
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.masks.matching import LooseMask, match_masks
from weakpan.masks.result import Fallback

PERSON, CAR = CITYSCAPES.train_id_named("person"), CITYSCAPES.train_id_named("car")


def annotation_of(shape, *boxes):
    return ImageAnnotation("street", *shape, boxes, (frozenset(),))


def rectangle(shape, top, left, bottom, right):
    mask = np.zeros(shape, bool)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


def loose(shape, *corners, class_id=None, score=0.0):
    return LooseMask.cut(rectangle(shape, *corners), class_id, score)


def test_a_mask_goes_to_the_box_that_it_fits_and_is_cut_to_it():
    shape = (20, 30)
    box, other = Box(CAR, 4, 4, 13, 13), Box(PERSON, 20, 2, 25, 17)
    masks = [loose(shape, 3, 5, 14, 15), loose(shape, 2, 20, 9, 25)]
    result = match_masks(annotation_of(shape, other, box), masks)
    assert [(r.index, r.class_id, r.cover, r.fallback) for r in result.records] == [
        (0, PERSON, 0.5, Fallback.NOT_NEEDED),
        (1, CAR, 0.9, Fallback.NOT_NEEDED),
    ]
    expected = np.full(shape, NO_THING, np.uint8)
    expected[other.slices] = expected[box.slices] = 255
    expected[2:10, 20:26] = PERSON
    expected[4:14, 5:14] = CAR
    assert (result.semantic == expected).all()


def test_the_least_iou_decides_and_includes_its_bound():
    # A mask over the upper half of the box: IoU of the boxes one half.
    annotation, half = annotation_of((10, 10), Box(CAR, 0, 0, 9, 9)), [loose((10, 10), 0, 0, 4, 9)]
    assert match_masks(annotation, half, min_iou=0.5).records[0].cover == 0.5
    without = match_masks(annotation, half, min_iou=0.51)
    assert (without.records[0].cover, without.records[0].fallback) == (0.0, Fallback.NO_MASK)
    assert (without.semantic == 255).all()


def test_a_mask_is_given_once_and_the_best_pair_first():
    shape = (10, 20)
    # The first box would take the mask too, but the second fits it exactly.
    boxes = Box(CAR, 0, 0, 9, 9), Box(CAR, 2, 0, 9, 9)
    result = match_masks(annotation_of(shape, *boxes), [loose(shape, 0, 2, 9, 9)])
    assert [r.cover for r in result.records] == [0.0, 1.0]
    both = match_masks(
        annotation_of(shape, *boxes),
        [loose(shape, 0, 2, 9, 9), loose(shape, 0, 0, 9, 8)],
    )
    assert [r.cover for r in both.records] == [0.9, 1.0]


def test_classes_are_respected_where_masks_have_them():
    shape = (10, 10)
    annotation = annotation_of(shape, Box(PERSON, 0, 0, 9, 9))
    assert match_masks(annotation, [loose(shape, 0, 0, 9, 9, class_id=CAR)]).records[0].cover == 0
    assert match_masks(annotation, [loose(shape, 0, 0, 9, 9, class_id=PERSON)]).records[0].cover == 1


def test_of_masks_that_fit_equally_the_higher_score_wins():
    shape = (10, 10)
    frame, full = rectangle(shape, 0, 0, 9, 9), rectangle(shape, 0, 0, 9, 9)
    frame[1:9, 1:9] = False
    annotation = annotation_of(shape, Box(CAR, 0, 0, 9, 9))
    for scores, cover in (((0.9, 0.2), 0.36), ((0.2, 0.9), 1.0), ((0.5, 0.5), 0.36)):
        masks = [LooseMask.cut(m, None, s) for m, s in zip((frame, full), scores, strict=True)]
        assert match_masks(annotation, masks).records[0].cover == cover


def test_a_mask_without_a_pixel_in_the_box_is_left_for_others():
    shape = (10, 10)
    corner = np.zeros(shape, bool)
    corner[0, :] = corner[:, 0] = True
    # The bounding box of the mask is the image; its pixels miss the box.
    annotation = annotation_of(shape, Box(CAR, 1, 1, 9, 9), Box(PERSON, 0, 0, 7, 7))
    result = match_masks(annotation, [LooseMask.cut(corner)])
    assert [r.fallback for r in result.records] == [Fallback.NO_MASK, Fallback.NOT_NEEDED]
    assert result.records[1].cover == pytest.approx(15 / 64)
    annotation = annotation_of(shape, Box(CAR, 1, 1, 9, 9))
    far = match_masks(annotation, [loose(shape, 0, 0, 0, 0)], min_iou=0.0)
    assert far.records[0].fallback is Fallback.NO_MASK


def test_only_instance_boxes_take_masks():
    shape = (10, 10)
    group, stuff = Box(CAR, 0, 0, 4, 9, BoxKind.GROUP), Box(0, 0, 0, 9, 9, BoxKind.STUFF)
    result = match_masks(annotation_of(shape, stuff, group), [loose(shape, 0, 0, 9, 4)])
    assert result.records == ()
    assert (result.semantic[:, :5] == 255).all()
    assert (result.semantic[:, 5:] == NO_THING).all()


def test_the_overlap_setting_reaches_the_map():
    shape = (10, 10)
    annotation = annotation_of(shape, Box(CAR, 0, 0, 9, 9), Box(PERSON, 0, 0, 3, 3))
    masks = [loose(shape, 0, 0, 9, 9, class_id=CAR), loose(shape, 0, 0, 3, 3, class_id=PERSON)]
    assert (match_masks(annotation, masks).semantic[:4, :4] == PERSON).all()
    assert (match_masks(annotation, masks, overlap="ignore").semantic[:4, :4] == 255).all()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000))
def test_cutting_and_iou_agree_with_the_whole_masks(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 12)) < rng.choice([0.03, 0.3])
    cut = LooseMask.cut(mask)
    if cut is None:
        assert not mask.any()
        return
    (top, bottom), (left, right) = sorted(rng.integers(0, 9, 2)), sorted(rng.integers(0, 12, 2))
    box, own = Box(CAR, int(left), int(top), int(right), int(bottom)), tight_box(mask, CAR)
    assert (cut.left, cut.top, cut.box.xmax, cut.box.ymax) == (own.xmin, own.ymin, own.xmax, own.ymax)
    assert (cut.inside(box) == mask[box.slices]).all()
    first, second = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    first[box.slices], second[own.slices] = True, True
    assert cut.box.iou(box) == pytest.approx((first & second).sum() / (first | second).sum())
