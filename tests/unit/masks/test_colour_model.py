"""How much each colour belongs to the object of a box."""

import cv2
import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.data.annotations import Box
from weakpan.masks.colour_model import colour_odds
from weakpan.masks.region import crop_region


def two_colours(share):
    """A box of which the lower part is red, in surroundings that are green as the rest of it."""
    image = np.full((120, 120, 3), (60, 140, 60), np.uint8)
    image[30 + round(60 * (1 - share)) : 90, 30:90] = (180, 50, 50)
    return crop_region(image, Box(0, 30, 30, 89, 89), 128, margin=0.35)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_colour_that_occurs_in_the_box_alone_is_the_object_s(share):
    region = two_colours(share)
    odds = colour_odds(region, 4.0, 0.95)
    assert odds.shape == region.shape
    assert odds.dtype == np.float32
    red, green = ((np.abs(region.pixels.astype(int) - of) < 8).all(axis=-1) for of in ((180, 50, 50), (60, 140, 60)))
    assert (odds[red] > 1).all()
    assert (odds[green] < -0.5).mean() > 0.98  # enlarging has drawn some of the green along the red otherwise
    assert np.abs(odds).max() <= 3


def test_drawn_object_is_told_from_the_grass():
    image, truth, box = disc_in_grass()
    region = crop_region(image, box, 128, margin=0.35)
    odds = region.values_to_box(colour_odds(region, 4.2, 0.95))
    inside = truth[box.slices]
    assert (odds[inside] > 0).mean() > 0.95
    assert (odds[~inside] < 0).mean() > 0.95


def test_colour_of_the_object_and_its_surroundings_proves_nothing():
    image = np.full((120, 120, 3), 90, np.uint8)
    region = crop_region(image, Box(0, 30, 30, 89, 89), 128, margin=0.35)
    odds = colour_odds(region, 4.2, 0.95)
    assert odds == pytest.approx(np.zeros(region.shape), abs=0.01)


def test_more_rounds_correct_what_shape_got_wrong():
    # A green hole in the middle of a red object: shape says object, the surroundings say grass.
    image = np.full((120, 120, 3), (60, 140, 60), np.uint8)
    image[30:90, 30:90] = (180, 50, 50)
    image[54:66, 54:66] = (60, 140, 60)
    region = crop_region(image, Box(0, 30, 30, 89, 89), 128, margin=0.35)
    odds = region.values_to_box(colour_odds(region, 4.2, 0.95))
    assert odds[30, 30] < -2
    assert odds[30, 5] > 2


def test_box_without_surroundings_says_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    region = crop_region(image, Box(0, 0, 0, 59, 39), 64, margin=0.35)
    assert (colour_odds(region, 4.2, 0.95) == 0).all()


def test_does_not_depend_on_the_state_of_the_random_generator():
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    region = crop_region(image, Box(0, 20, 20, 59, 59), 64, margin=0.35)
    cv2.setRNGSeed(1)
    first = colour_odds(region, 4.2, 0.95)
    cv2.setRNGSeed(2)
    assert (colour_odds(region, 4.2, 0.95) == first).all()


def test_a_region_of_fewer_pixels_than_colours_is_survived():
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    region = crop_region(image, Box(0, 1, 1, 2, 1), 8, margin=0.05)
    assert np.isfinite(colour_odds(region, 4.2, 0.95)).all()
