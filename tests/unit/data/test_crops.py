"""The crop grid covers images of any size."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.data.crops import CropGrid, Tile

sides = st.integers(1, 60)


def test_the_published_grid():
    tiles = CropGrid(400, 500).tiles(1024, 2048)
    expected = [Tile(y, x, y + 400, x + 500) for y in (0, 312, 624) for x in (0, 387, 774, 1161, 1548)]
    assert list(tiles) == expected


@settings(deadline=None)
@given(sides, sides, sides, sides)
def test_tiles_cover_every_pixel_and_stay_inside(height, width, image_height, image_width):
    tiles = CropGrid(height, width).tiles(image_height, image_width)
    covered = np.zeros((image_height, image_width), int)
    for tile in tiles:
        assert 0 <= tile.top < tile.bottom <= image_height
        assert 0 <= tile.left < tile.right <= image_width
        assert (tile.bottom - tile.top, tile.right - tile.left) == (min(height, image_height), min(width, image_width))
        covered[tile.slices] += 1
    assert covered.min() >= 1
    assert len(set(tiles)) == len(tiles) == -(-image_height // height) * -(-image_width // width)
    assert sorted(tiles, key=lambda t: (t.top, t.left)) == list(tiles)


def test_an_image_smaller_than_a_crop_is_one_tile():
    assert CropGrid(400, 500).tiles(10, 20) == (Tile(0, 0, 10, 20),)
    assert CropGrid(400, 500).tiles(400, 500) == (Tile(0, 0, 400, 500),)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tags_are_the_classes_with_a_pixel_in_the_tile(seed):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([0, 3, 18, 255], (9, 11)).astype(np.uint8)
    grid = CropGrid(4, 5)
    for tile, tags in zip(grid.tiles(9, 11), grid.tags(semantic), strict=True):
        window = semantic[tile.top : tile.bottom, tile.left : tile.right]
        assert tags == {int(v) for v in window.ravel()} - {255}


def test_a_void_image_has_no_tags():
    assert CropGrid(4, 5).tags(np.full((4, 5), 255, np.uint8)) == (frozenset(),)
