"""Panels: sizes, captions, tiny and long pictures, the legend."""

from __future__ import annotations

import numpy as np
import pytest

from weakpan.basics.catalog import CAMVID, CITYSCAPES
from weakpan.report.panels import fit, legend, panel, text_picture


def flat(height: int, width: int, value: int = 90) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_columns_share_the_height_and_keep_their_proportions() -> None:
    picture = panel([("a", flat(100, 200, 80)), ("b", flat(300, 300, 120))], 150)
    strip = picture.shape[0] - 150
    assert 10 < strip < 40
    assert (picture[strip:] == 80).all(axis=2).sum() == 150 * 300
    assert (picture[strip:] == 120).all(axis=2).sum() == 150 * 150
    assert picture.dtype == np.uint8


def test_pictures_stand_in_the_order_of_the_columns() -> None:
    row = panel([("a", flat(10, 10, 80)), ("b", flat(10, 10, 120))], 60)[-1, :, 0].tolist()
    assert row.index(80) < row.index(120)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (6, 6), (3, 7)])
def test_any_shape_stays_within_bounds_and_visible(shape: tuple[int, int]) -> None:
    picture = panel([("x", flat(*shape))], 100)
    assert picture.shape[1] <= 400
    assert (picture == 90).all(axis=2).any()


def test_a_caption_is_never_cut_off() -> None:
    caption = "predicted labels of round 12"
    narrow = panel([(caption, flat(100, 5))], 100)
    strip = narrow[: narrow.shape[0] - 100]
    ink = np.flatnonzero((strip < 128).any(axis=(0, 2)))
    assert ink[-1] < strip.shape[1] - 1
    short = panel([(caption[:9], flat(100, 5))], 100)
    assert strip.shape[1] > 2 * short.shape[1]


def test_captions_of_two_columns_do_not_overlap() -> None:
    caption = "a caption much wider than its picture"
    once, twice = panel([(caption, flat(50, 5))], 50), panel([(caption, flat(50, 5))] * 2, 50)
    assert twice.shape[1] > 2 * once.shape[1]
    np.testing.assert_array_equal(twice[:, : once.shape[1]], once)
    np.testing.assert_array_equal(twice[:, -once.shape[1] :], once)


def test_enlarging_repeats_pixels() -> None:
    small = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit(small, 30, 100), small.repeat(10, 0).repeat(10, 1))


def test_reducing_averages_and_the_limits_hold() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    reduced = fit(stripes, 16, 100)
    assert reduced.shape == (16, 16, 3)
    assert (reduced == 100).all()
    assert fit(stripes, 1000, 20).shape == (20, 20, 3)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="column"):
        panel([], 100)
    with pytest.raises(ValueError, match="no pixels"):
        panel([("x", flat(0, 5))], 100)


def test_text_shows_letters_beyond_ascii() -> None:
    pictures = [text_picture(text, 14) for text in ("ž", "z", "ж", "\N{GREEK SMALL LETTER OMEGA}")]
    assert len({p.tobytes() for p in pictures}) == len(pictures)
    assert all((p < 128).any() for p in pictures)


@pytest.mark.parametrize("columns", [1, 2, 3, 50])
def test_the_legend_shows_every_color(columns: int) -> None:
    found = {tuple(p) for p in legend(CITYSCAPES, columns).reshape(-1, 3).tolist()}
    assert {c.color for c in CITYSCAPES.classes} <= found


def test_the_legend_gets_wider_and_less_high_with_more_columns() -> None:
    one, three = legend(CAMVID, 1), legend(CAMVID, 3)
    assert one.shape[0] == 3 * three.shape[0]
    assert three.shape[1] == 3 * one.shape[1]
