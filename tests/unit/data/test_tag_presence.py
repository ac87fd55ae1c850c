"""Presence: what must occur in a view, held against the ground truth seen through the same view."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.data.test_candidates import GRID, HEIGHT, WIDTH, random_annotation
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.transforms import View, random_view, whole_view
from weakpan.data.tag_presence import nowhere, presence


def known(annotation, view, grid=GRID):
    return presence(annotation, grid, CITYSCAPES, view)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rectangles_lie_where_the_view_shows_them(seed):
    rng = np.random.default_rng(seed)
    _, annotation = random_annotation(rng)
    view = random_view(rng, HEIGHT, WIDTH, (23, 28), (1.0, 3.0), flip=True)
    found = known(annotation, view)
    sources = [(t.top, t.left, t.bottom, t.right) for t in GRID.crops(HEIGHT, WIDTH)]
    sources += [(b.ymin, b.xmin, b.ymax + 1, b.xmax + 1) for b in annotation.boxes if b.kind is not BoxKind.STUFF]
    expected = []
    for top, left, bottom, right in sources:
        whole = top >= view.top and bottom <= view.top + view.height
        if whole and left >= view.left and right <= view.left + view.width:
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[top:bottom, left:right] = 1
            rows, columns = np.nonzero(view.label(mask, 0))
            expected.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    assert len(expected) == len(found.areas)
    if expected:
        # Borders between two pixels of the view may be rounded to either side.
        assert np.abs(found.areas - np.array(expected)).max() <= 1
        assert (found.areas[:, :2] >= 0).all()
        assert (found.areas[:, 2:] <= (view.canvas_height, view.canvas_width)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_said_to_occur_does(seed):
    rng = np.random.default_rng(seed)
    semantic, annotation = random_annotation(rng)
    view = View(0, 0, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT + 2, WIDTH + 3, flip=bool(seed % 2))
    found, seen = known(annotation, view), view.label(semantic, 255)
    assert len(found.areas) >= len(GRID.crops(HEIGHT, WIDTH))
    for (top, left, bottom, right), classes in zip(found.areas, found.classes, strict=True):
        assert set(np.flatnonzero(classes)) <= set(np.unique(seen[top:bottom, left:right]))


def test_crops_speak_of_stuff_boxes_of_things_and_crowds_are_no_boxes():
    tags = (frozenset({0, 10, 13}), frozenset({2}))
    boxes = (Box(13, 1, 1, 2, 2), Box(11, 0, 0, 7, 3, BoxKind.GROUP), Box(2, 0, 0, 7, 3, BoxKind.STUFF))
    annotation = ImageAnnotation("x", 4, 8, boxes, tags)
    found = known(annotation, whole_view(4, 8, 2.0), CropGrid(4, 4))
    assert found.areas.tolist() == [[0, 0, 8, 8], [0, 8, 8, 16], [2, 2, 6, 6], [0, 0, 8, 16]]
    assert [np.flatnonzero(c).tolist() for c in found.classes] == [[0, 10], [2], [13], [11]]
    assert found.is_box.tolist() == [False, False, True, False]


def test_what_is_cut_off_says_nothing():
    annotation = ImageAnnotation("x", 4, 8, (Box(13, 1, 1, 2, 2),), (frozenset({0}), frozenset({2})))
    found = known(annotation, View(0, 2, 4, 5, 4, 5, 4, 5), CropGrid(4, 4))
    empty = nowhere(CITYSCAPES.num_classes)
    assert found.areas.shape == empty.areas.shape == (0, 4)
    assert found.classes.shape == empty.classes.shape == (0, CITYSCAPES.num_classes)
    assert found.is_box.shape == (0,)
