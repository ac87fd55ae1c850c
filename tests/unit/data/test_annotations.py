"""Boxes and tags in memory."""

from weakpan.data.annotations import Box, BoxKind, ImageAnnotation


def test_boxes_are_inclusive():
    boxes = Box(0, 0, 0, 9, 7, BoxKind.STUFF), Box(1, 2, 3, 2, 3, BoxKind.GROUP), Box(1, 4, 0, 9, 7)
    assert [box.area for box in boxes] == [80, 1, 48]
    assert boxes[2].slices == (slice(0, 8), slice(4, 10))
    assert boxes[2].kind is BoxKind.INSTANCE


def test_image_tags_are_those_of_all_crops():
    assert ImageAnnotation("a", 8, 10, (), (frozenset({1, 2}), frozenset(), frozenset({2, 3}))).image_tags == {1, 2, 3}
