"""The crop grid covers images of any size."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.data.crops import Crop, CropGrid

sides = st.integers(1, 60)


def test_the_published_grid():
    crops = CropGrid(400, 500).crops(1024, 2048)
    expected = [Crop(y, x, y + 400, x + 500) for y in (0, 312, 624) for x in (0, 387, 774, 1161, 1548)]
    assert list(crops) == expected


@settings(deadline=None)
@given(sides, sides, sides, sides)
def test_crops_cover_every_pixel_and_stay_inside(height, width, image_height, image_width):
    crops = CropGrid(height, width).crops(image_height, image_width)
    covered = np.zeros((image_height, image_width), int)
    for crop in crops:
        assert 0 <= crop.top < crop.bottom <= image_height
        assert 0 <= crop.left < crop.right <= image_width
        assert (crop.bottom - crop.top, crop.right - crop.left) == (min(height, image_height), min(width, image_width))
        covered[crop.slices] += 1
    assert covered.min() >= 1
    assert len(set(crops)) == len(crops) == -(-image_height // height) * -(-image_width // width)
    assert sorted(crops, key=lambda t: (t.top, t.left)) == list(crops)


def test_an_image_smaller_than_a_crop_is_one_crop():
    assert CropGrid(400, 500).crops(10, 20) == (Crop(0, 0, 10, 20),)
    assert CropGrid(400, 500).crops(400, 500) == (Crop(0, 0, 400, 500),)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tags_are_the_classes_with_a_pixel_in_the_crop(seed):
    rng = np.random.default_rng(seed)
    semantic = rng.choice([0, 3, 18, 255], (9, 11)).astype(np.uint8)
    grid = CropGrid(4, 5)
    for crop, tags in zip(grid.crops(9, 11), grid.tags(semantic), strict=True):
        window = semantic[crop.top : crop.bottom, crop.left : crop.right]
        assert tags == {int(v) for v in window.ravel()} - {255}


def test_a_void_image_has_no_tags():
    assert CropGrid(4, 5).tags(np.full((4, 5), 255, np.uint8)) == (frozenset(),)
