"""The vote of the voices of a box."""

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.errors import ConfigError
from weakpan.data.annotations import Box
from weakpan.masks.fusion import VoteSettings, between_feet, log_odds, said_by_colour, said_by_shape, vote
from weakpan.masks.region import crop_region, elliptic_radius


def ask(region, cuts, proposal, probability, settings):
    return vote(region.box_shape, said_by_colour(region, cuts, proposal, settings), probability, settings)


def region_and_nothing():
    region = crop_region(np.zeros((120, 160, 3), np.uint8), Box(0, 40, 30, 119, 89), 128, margin=0.35)
    return region, np.zeros(region.shape, bool)


def test_shape_alone_is_a_line_in_elliptic_radius():
    region, nothing = region_and_nothing()
    settings = VoteSettings(ellipse=3, radius=0.9, grabcut=0, proposal=0, colour=0, gap=0)
    odds = ask(region, [nothing], nothing, None, settings)
    assert odds.shape == (60, 80)
    assert odds == pytest.approx(3 * (0.9 - elliptic_radius(60, 80)), abs=1e-5)


def test_who_was_not_asked_has_no_voice():
    settings = VoteSettings(ellipse=0, network=2, gap=0)
    assert (vote((3, 4), None, None, settings) == 0).all()
    probability = np.full((3, 4), 0.25, np.float32)
    assert vote((3, 4), None, probability, settings) == pytest.approx(np.full((3, 4), -2 * np.log(3)))


def test_voices_add_up():
    region, nothing = region_and_nothing()
    everything = ~nothing
    settings = VoteSettings(ellipse=0, grabcut=1.5, proposal=1.0, colour=0, network=2.0, gap=0)
    cuts = [everything, nothing, everything]
    probability = np.full((60, 80), 0.9, np.float32)
    assert ask(region, cuts, nothing, None, settings) == pytest.approx(np.full((60, 80), 0.5 - 1.0), abs=1e-5)
    assert ask(region, cuts, everything, probability, settings) == pytest.approx(
        np.full((60, 80), 0.5 + 1.0 + 2 * np.log(9)), abs=1e-4
    )


def test_half_a_box_said_by_one_voice_is_that_half():
    region, half = region_and_nothing()
    half[:, (region.cols.start + region.cols.stop) // 2 :] = True
    odds = ask(region, [half], half, None, VoteSettings(ellipse=0, gap=0))
    assert (odds[:, 44:] > 0).all()
    assert (odds[:, :36] < 0).all()


def test_between_the_feet_is_ground():
    gap = between_feet(40, 21, 0.25)
    assert gap.shape == (40, 21)
    assert (gap[:30] == 0).all()
    assert gap[30:, 10] == pytest.approx((np.arange(10) + 0.5) / 10, abs=1e-6)
    assert (np.diff(gap[-1, :11]) > 0).all()
    assert gap == pytest.approx(gap[:, ::-1], abs=1e-6)
    assert gap[-1, 0] < 0.1


def test_ground_counts_against_the_object_unless_the_image_cuts_it_off():
    settings = VoteSettings(ellipse=0, gap=3.0, gap_height=0.5)
    assert vote((8, 10), None, None, settings) == pytest.approx(-3 * between_feet(8, 10, 0.5))
    assert (vote((8, 10), None, None, settings, foot_seen=False) == 0).all()


def test_ground_shows_less_below_what_is_higher_than_wide():
    settings = VoteSettings(ellipse=0, gap=3.0, gap_height=0.5)
    assert vote((16, 8), None, None, settings) == pytest.approx(np.zeros((16, 8)))
    half = vote((20, 14), None, None, settings)
    assert half == pytest.approx(-3 * (1 - np.log2(20 / 14)) * between_feet(20, 14, 0.5), abs=1e-5)


@pytest.mark.parametrize(("height", "breadth"), [(10, 1.0), (20, 1 / 1.5), (40, 1 / 1.75), (400, 1 / 1.75)])
def test_ellipse_of_a_tall_box_is_narrower(height, breadth):
    settings = VoteSettings(ellipse=2, radius=1, narrow=0.5, gap=0)
    assert said_by_shape(height, 10, settings) == pytest.approx(
        2 * (1 - elliptic_radius(height, 10, breadth)), abs=1e-5
    )
    assert elliptic_radius(1, 10, breadth)[0] == pytest.approx(elliptic_radius(1, 10)[0] / breadth)


def test_no_probability_silences_the_other_voices():
    odds = log_odds(np.array([0.0, 0.5, 1.0], np.float32))
    assert odds == pytest.approx([-np.log(99), 0, np.log(99)], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ellipse", -1.0), ("radius", 0.1), ("threshold", 50.0), ("gap", -1.0), ("gap_height", 0.0), ("narrow", 3.0)],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError, match=f"masks.dials.vote.{name}={value}"):
        VoteSettings(**{name: value})


def test_drawn_object_is_found_with_a_network_that_knows_nothing():
    image, truth, box = disc_in_grass()
    region = crop_region(image, box, 128, margin=0.35)
    shape = truth[box.slices].shape
    inside = region.pixels[..., 0] > 120
    odds = ask(region, [inside], inside, np.full(shape, 0.5, np.float32), VoteSettings(gap=0))
    found = odds > 0
    assert (found & truth[box.slices]).sum() / (found | truth[box.slices]).sum() > 0.95
