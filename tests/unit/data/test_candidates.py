"""Candidate sets: which classes tags and boxes leave to a pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.basics.catalog import CITYSCAPES, Catalog, ClassInfo
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.candidates import candidate_sets
from weakpan.data.crops import CropGrid
from weakpan.data.loaders.transforms import random_view

GRID = CropGrid(7, 9)
HEIGHT, WIDTH = 13, 17


def dense_sets(annotation, grid, catalog):
    """(H, W, C) pixel by pixel: in the tags of all its crops; things only inside a box; all where that leaves none."""
    allowed = np.zeros((annotation.height, annotation.width, catalog.num_classes), bool)
    crops = grid.crops(annotation.height, annotation.width)
    for y, x, c in np.ndindex(*allowed.shape):
        over = [tags for t, tags in zip(crops, annotation.tags, strict=True)
                if t.top <= y < t.bottom and t.left <= x < t.right]  # fmt: skip
        in_box = any(
            b.class_id == c and b.kind is not BoxKind.STUFF and b.xmin <= x <= b.xmax and b.ymin <= y <= b.ymax
            for b in annotation.boxes
        )
        allowed[y, x, c] = all(c in tags for tags in over) and (in_box or not catalog.is_thing[c])
    allowed[~allowed.any(axis=2)] = True
    return allowed


def random_annotation(rng, catalog=CITYSCAPES):
    semantic = rng.choice([0, 2, 10, 11, 13, 255], (4, 5)).astype(np.uint8).repeat(4, 0).repeat(4, 1)[:HEIGHT, :WIDTH]
    instances = np.where(catalog.is_thing[semantic], rng.integers(0, 3, semantic.shape), 0).astype(np.int32)
    boxes = boxes_from_maps(semantic, instances, catalog)
    return semantic, ImageAnnotation("x", HEIGHT, WIDTH, boxes, GRID.tags(semantic))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_sets_of_a_view_are_the_dense_ones_sampled(seed):
    rng = np.random.default_rng(seed)
    _, annotation = random_annotation(rng)
    dense = dense_sets(annotation, GRID, CITYSCAPES)
    view = random_view(rng, HEIGHT, WIDTH, (11, 14), (0.5, 2.0), flip=True)
    sets = candidate_sets(annotation, GRID, CITYSCAPES, view.rows, view.columns)
    found = sets.table[sets.index]
    expected = dense[np.ix_(view.rows, view.columns)]
    expected[view.rows < 0] = True
    expected[:, view.columns < 0] = True
    np.testing.assert_array_equal(found, expected)
    assert sets.index.dtype == np.int32
    assert sets.table[0].all()
    assert sets.table.any(axis=1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_real_class_is_always_a_candidate(seed):
    semantic, annotation = random_annotation(np.random.default_rng(seed))
    sets = candidate_sets(annotation, GRID, CITYSCAPES, np.arange(HEIGHT), np.arange(WIDTH))
    rows, columns = np.nonzero(semantic != 255)
    assert sets.table[sets.index[rows, columns], semantic[rows, columns]].all()


def test_more_classes_than_fit_into_one_integer():
    classes = tuple(ClassInfo(f"c{i}", i, (0, 0, 0), is_thing=i >= 100) for i in range(200))
    catalog = Catalog("many", classes)
    rng = np.random.default_rng(0)
    grid = CropGrid(3, 4)
    crops = grid.crops(7, 9)
    tags = tuple(frozenset(rng.choice(200, 60, replace=False).tolist()) for _ in crops)
    boxes = tuple(Box(int(c), 1, 2, 6, 5, BoxKind.INSTANCE) for c in range(100, 200, 3))
    annotation = ImageAnnotation("x", 7, 9, boxes, tags)
    sets = candidate_sets(annotation, grid, catalog, np.arange(7), np.arange(9))
    np.testing.assert_array_equal(sets.table[sets.index], dense_sets(annotation, grid, catalog))


def test_a_group_box_allows_its_class_and_a_void_crop_allows_all():
    tags = (frozenset({0, 11}), frozenset())
    group = Box(11, 1, 0, 2, 3, BoxKind.GROUP)
    annotation = ImageAnnotation("x", 4, 8, (group,), tags)
    sets = candidate_sets(annotation, CropGrid(4, 4), CITYSCAPES, np.arange(4), np.arange(8))
    found = [set(np.flatnonzero(sets.table[sets.index[1, x]]).tolist()) for x in (0, 1, 2, 3)]
    assert found == [{0}, {0, 11}, {0, 11}, {0}]
    assert sets.table[sets.index[1, 5]].all()
