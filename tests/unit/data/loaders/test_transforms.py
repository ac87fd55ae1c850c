"""Views keep image, labels and points aligned to the pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.data.loaders.transforms import PADDING_COLOUR, View, jitter_colour, random_view, whole_view

HEIGHT, WIDTH = 40, 60


def coordinate_image(height=HEIGHT, width=WIDTH):
    """Red is the row and green the column, four grey values a pixel: a colour tells where it came from."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 4 * np.arange(height)[:, None]
    image[..., 1] = 4 * np.arange(width)[None, :]
    return image


def coordinate_maps(height=HEIGHT, width=WIDTH):
    return np.meshgrid(np.arange(height, dtype=np.int32), np.arange(width, dtype=np.int32), indexing="ij")


views = st.builds(
    lambda seed, crop, low, high, flip: random_view(
        np.random.default_rng(seed), HEIGHT, WIDTH, crop, (low, high), flip
    ),
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(8, 90), st.integers(8, 120)),
    st.floats(0.4, 1.0),
    st.floats(1.0, 2.5),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(views)
def test_photograph_and_labels_stay_aligned(view):
    image = view.image(coordinate_image()).astype(float)
    rows, columns = (view.label(m, -1) for m in coordinate_maps())
    valid = rows >= 0
    assert image.shape[:2] == rows.shape == (view.canvas_height, view.canvas_width)
    np.testing.assert_array_equal(valid, columns >= 0)
    np.testing.assert_array_equal(valid, np.outer(view.rows >= 0, view.columns >= 0))
    # Nearest neighbour is at most half a source pixel off the interpolated position (8 bits: another eighth).
    for channel, source in ((0, rows), (1, columns)):
        assert np.abs(image[..., channel][valid] / 4 - source[valid]).max() <= 0.5 + 0.2
    assert (image[~valid] == PADDING_COLOUR).all()


@settings(max_examples=150, deadline=None)
@given(views)
def test_rows_and_columns_are_what_labels_are_sampled_with(view):
    rows, columns = coordinate_maps()
    valid = np.outer(view.rows >= 0, view.columns >= 0)
    np.testing.assert_array_equal(view.label(rows, -1), np.where(valid, view.rows[:, None], -1))
    np.testing.assert_array_equal(view.label(columns, -1), np.where(valid, view.columns[None, :], -1))
    assert ((view.rows >= -1) & (view.rows < HEIGHT)).all()
    assert ((view.columns >= -1) & (view.columns < WIDTH)).all()


@settings(max_examples=150, deadline=None)
@given(views)
def test_points_agree_with_rows_and_columns(view):
    vertical, horizontal = view.scale
    for y in np.flatnonzero(view.rows >= 0):
        # The source row under a canvas row maps back to that canvas row, up to half a source pixel.
        assert abs(view.point(float(view.rows[y]), 0)[0] - y) <= 0.5 * vertical + 1e-6
    for x in np.flatnonzero(view.columns >= 0):
        assert abs(view.point(0, float(view.columns[x]))[1] - x) <= 0.5 * horizontal + 1e-6


def test_a_view_of_everything_changes_nothing():
    view = whole_view(HEIGHT, WIDTH, 1.0)
    image, rows = coordinate_image(), coordinate_maps()[0]
    np.testing.assert_array_equal(view.image(image), image)
    np.testing.assert_array_equal(view.label(rows, -1), rows)
    assert view.point(3, 5) == (3, 5)


def test_a_flip_mirrors_image_labels_and_points():
    view = View(0, 0, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, flip=True)
    image, columns = coordinate_image(), coordinate_maps()[1]
    np.testing.assert_array_equal(view.image(image), image[:, ::-1])
    np.testing.assert_array_equal(view.label(columns, -1), columns[:, ::-1])
    assert view.point(3, 0) == (3, WIDTH - 1)


@pytest.mark.parametrize("factor", [2, 3])
def test_scaling_by_whole_numbers_repeats_labels(factor):
    rows, columns = coordinate_maps()
    view = whole_view(HEIGHT, WIDTH, float(factor))
    np.testing.assert_array_equal(view.label(rows, -1), rows.repeat(factor, 0).repeat(factor, 1))
    # The middle of a source pixel is the middle of its block.
    assert view.point(1, 1) == (factor + (factor - 1) / 2, factor + (factor - 1) / 2)
    np.testing.assert_array_equal(view.label(columns, -1), columns.repeat(factor, 0).repeat(factor, 1))


@settings(max_examples=100, deadline=None)
@given(views)
def test_random_views_lie_inside_the_source(view):
    assert view.top >= 0
    assert view.left >= 0
    assert view.top + view.height <= HEIGHT
    assert view.left + view.width <= WIDTH
    assert 1 <= view.out_height <= view.canvas_height
    assert 1 <= view.out_width <= view.canvas_width


def test_random_scales_keep_the_range_and_the_aspect():
    factors = []
    for seed in range(200):
        view = random_view(np.random.default_rng(seed), 400, 600, (100, 150), (0.5, 2.0), flip=True)
        vertical, horizontal = view.scale
        factors.append(vertical)
        assert abs(vertical / horizontal - 1) < 0.03
    assert 0.49 < min(factors) < 0.6
    assert 1.7 < max(factors) < 2.04
    # Uniform in the logarithm: half of them shrink.
    assert 0.4 < np.mean(np.array(factors) < 1) < 0.6


def test_half_of_the_views_are_mirrored():
    flips = [random_view(np.random.default_rng(s), 9, 9, (4, 4), (1, 1), flip=True).flip for s in range(200)]
    assert 0.4 < np.mean(flips) < 0.6
    assert not any(random_view(np.random.default_rng(s), 9, 9, (4, 4), (1, 1), flip=False).flip for s in range(50))


def test_colours_change_with_the_seed_and_only_when_asked():
    image = np.random.default_rng(0).integers(60, 200, (8, 9, 3), dtype=np.uint8)
    assert jitter_colour(np.random.default_rng(1), image, 0.0) is image
    one, again, other = (jitter_colour(np.random.default_rng(s), image, 0.3) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert one.dtype == np.uint8
    # Geometry is left alone: what was brighter stays brighter.
    grey = image.mean(axis=2).ravel()
    assert np.corrcoef(grey, one.mean(axis=2).ravel())[0, 1] > 0.95
