"""Evidence on the pixels of a box, fused."""

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import check_settings
from weakpan.data.annotations import Box
from weakpan.masks.fusion import FusionSettings, between_feet, colour_evidence, fuse, log_odds, shape_evidence
from weakpan.masks.region import crop_region, elliptic_radius


def fused(region, cuts, proposal, probability, settings, weight=1.0):
    colour = colour_evidence(region, cuts, proposal, settings)
    return fuse(region.box_shape, colour, probability, weight, settings)


def region_and_nothing():
    region = crop_region(np.zeros((120, 160, 3), np.uint8), Box(0, 40, 30, 119, 89), 128, margin=0.35)
    return region, np.zeros(region.shape, bool)


def test_shape_alone_is_a_line_in_elliptic_radius():
    region, nothing = region_and_nothing()
    settings = FusionSettings(ellipse=3, radius=0.9, grabcut=0, proposal=0, colour=0, gap=0)
    odds = fused(region, [nothing], nothing, None, settings)
    assert odds.shape == (60, 80)
    assert odds == pytest.approx(3 * (0.9 - elliptic_radius(60, 80)), abs=1e-5)


def test_evidence_that_is_not_there_does_not_count():
    settings = FusionSettings(ellipse=0, gap=0)
    assert (fuse((3, 4), None, None, 2, settings) == 0).all()
    probability = np.full((3, 4), 0.25, np.float32)
    assert fuse((3, 4), None, probability, 2, settings) == pytest.approx(np.full((3, 4), -2 * np.log(3)))


def test_terms_add_up():
    region, nothing = region_and_nothing()
    everything = ~nothing
    settings = FusionSettings(ellipse=0, grabcut=1.5, proposal=1.0, colour=0, gap=0)
    cuts = [everything, nothing, everything]
    probability = np.full((60, 80), 0.9, np.float32)
    assert fused(region, cuts, nothing, None, settings) == pytest.approx(np.full((60, 80), 0.5 - 1.0), abs=1e-5)
    assert fused(region, cuts, everything, probability, settings, weight=2) == pytest.approx(
        np.full((60, 80), 0.5 + 1.0 + 2 * np.log(9)), abs=1e-4
    )


def test_half_a_box_by_one_term_is_that_half():
    region, half = region_and_nothing()
    half[:, (region.cols.start + region.cols.stop) // 2 :] = True
    odds = fused(region, [half], half, None, FusionSettings(ellipse=0, gap=0))
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
    settings = FusionSettings(ellipse=0, gap=3.0, gap_height=0.5)
    assert fuse((8, 10), None, None, 1, settings) == pytest.approx(-3 * between_feet(8, 10, 0.5))
    assert (fuse((8, 10), None, None, 1, settings, foot_seen=False) == 0).all()


def test_ground_shows_less_below_what_is_higher_than_wide():
    settings = FusionSettings(ellipse=0, gap=3.0, gap_height=0.5)
    assert fuse((16, 8), None, None, 1, settings) == pytest.approx(np.zeros((16, 8)))
    half = fuse((20, 14), None, None, 1, settings)
    assert half == pytest.approx(-3 * (1 - np.log2(20 / 14)) * between_feet(20, 14, 0.5), abs=1e-5)


@pytest.mark.parametrize(("height", "breadth"), [(10, 1.0), (20, 1 / 1.5), (40, 1 / 1.75), (400, 1 / 1.75)])
def test_ellipse_of_a_tall_box_is_narrower(height, breadth):
    settings = FusionSettings(ellipse=2, radius=1, narrow=0.5, gap=0)
    assert shape_evidence(height, 10, settings) == pytest.approx(
        2 * (1 - elliptic_radius(height, 10, breadth)), abs=1e-5
    )
    assert elliptic_radius(1, 10, breadth)[0] == pytest.approx(elliptic_radius(1, 10)[0] / breadth)


def test_no_probability_outweighs_all_others():
    odds = log_odds(np.array([0.0, 0.5, 1.0], np.float32))
    assert odds == pytest.approx([-np.log(99), 0, np.log(99)], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ellipse", -1.0), ("radius", 0.1), ("threshold", 50.0), ("gap", -1.0), ("gap_height", 0.0), ("narrow", 3.0)],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError) as caught:
        check_settings(FusionSettings(**{name: value}), "fusion")
    assert (caught.value.key, caught.value.found) == (f"fusion.{name}", value)


def test_a_box_without_a_proposal_has_no_evidence_of_one():
    region, nothing = region_and_nothing()
    without = fused(region, [~nothing], None, None, FusionSettings())
    silent = fused(region, [~nothing], nothing, None, FusionSettings(proposal=0))
    assert (without == silent).all()


def test_drawn_object_is_found_with_a_network_that_knows_nothing():
    image, truth, box = disc_in_grass()
    region = crop_region(image, box, 128, margin=0.35)
    shape = truth[box.slices].shape
    inside = region.pixels[..., 0] > 120
    odds = fused(region, [inside], inside, np.full(shape, 0.5, np.float32), FusionSettings(gap=0))
    found = odds > 0
    assert (found & truth[box.slices]).sum() / (found | truth[box.slices]).sum() > 0.95
