"""Cutting a box out of an image and bringing masks back."""

import numpy as np
import pytest

from weakpan.data.annotations import Box
from weakpan.masks.region import crop_region, elliptic_radius

BOXES = [
    Box(0, 40, 30, 99, 69),
    Box(0, 0, 0, 199, 149),
    Box(0, 199, 0, 199, 149),
    Box(0, 0, 149, 199, 149),
    Box(0, 5, 7, 5, 7),
    Box(0, 3, 10, 6, 140),
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("side", [32, 96, 400])
def test_region_stays_within_working_size_and_maps_back_to_the_box(box, side):
    region = crop_region(np.zeros((150, 200, 3), np.uint8), box, side, margin=0.35)
    assert max(region.shape) <= side
    assert min(region.inner_shape) >= 1
    assert region.to_box(np.ones(region.shape, bool)).shape == (box.ymax - box.ymin + 1, box.xmax - box.xmin + 1)
    assert region.to_box(np.ones(region.shape, bool)).all()
    assert not region.to_box(np.zeros(region.shape, bool)).any()


@pytest.mark.parametrize("side", [64, 128, 300])
def test_edge_seen_in_region_returns_to_its_place(side):
    image = np.zeros((150, 200, 3), np.uint8)
    image[60:, :] = 255
    box = Box(0, 50, 40, 129, 89)
    region = crop_region(image, box, side, margin=0.35)
    back = region.to_box(region.pixels[..., 0] > 127)
    edge = np.argmax(back, axis=0) + box.ymin
    assert np.abs(edge - 60).max() <= 1


def test_box_part_of_region_shows_the_box():
    image = np.zeros((150, 200, 3), np.uint8)
    box = Box(0, 50, 40, 129, 89)
    image[box.slices] = (10, 200, 30)
    region = crop_region(image, box, 116, margin=0.25)
    assert (region.pixels[region.rows, region.cols][1:-1, 1:-1] == (10, 200, 30)).all()
    outside = region.pixels.copy()
    outside[
        max(0, region.rows.start - 1) : region.rows.stop + 1, max(0, region.cols.start - 1) : region.cols.stop + 1
    ] = 0
    assert not outside.any()


@pytest.mark.parametrize("box", [Box(0, 50, 40, 129, 89), Box(0, 0, 0, 3, 149), Box(0, 199, 149, 199, 149)])
@pytest.mark.parametrize("side", [32, 300])
def test_a_mask_of_the_surroundings_comes_into_the_region_and_to_the_box(box, side):
    image = np.zeros((150, 200, 3), np.uint8)
    image[box.slices] = 255
    region = crop_region(image, box, side, margin=0.35)
    around = image[region.surroundings(box)][..., 0] > 0
    assert around.shape == region.crop_shape
    assert region.cut_to_box(around).shape == image[box.slices].shape[:2]
    assert region.cut_to_box(around).all()
    assert around.sum() == box.area
    # Shown at the place where the photograph shows it, but for its border.
    seen = region.from_crop(around)
    assert seen.shape == region.shape
    assert seen[region.rows, region.cols].any()
    assert np.abs(seen.mean() - (region.pixels[..., 0] > 127).mean()) < 0.03


def test_thin_box_is_drawn_wider():
    region = crop_region(np.zeros((400, 400, 3), np.uint8), Box(0, 200, 20, 203, 379), 128, margin=0.35)
    assert region.inner_shape[1] >= 14


def test_elliptic_radius_measures_the_inscribed_ellipse():
    radius = elliptic_radius(200, 100)
    assert (radius <= 1).mean() == pytest.approx(np.pi / 4, abs=0.005)
    assert radius[0, 0] == pytest.approx(2**0.5, abs=0.02)
    assert np.allclose(radius, radius[::-1, ::-1])
    assert elliptic_radius(1, 1).item() == 0
