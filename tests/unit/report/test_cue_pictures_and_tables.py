"""Sheets of the worst boxes and images, and the tables of the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.evaluation.street_6x6 import CAR, STREET, TRUTH
from weakpan.audit.cue_tables import cam_table, mask_table, text_table
from weakpan.data.annotations import Box
from weakpan.evaluation.box_scores import READINGS, BoxScore, PixelCounts
from weakpan.evaluation.box_summary import AuditedBox, summarise_boxes
from weakpan.evaluation.cam_scores import count_cam, summarise_cams
from weakpan.report.pictures import NO_THING_COLOR
from weakpan.report.worst_cases import (
    BOX_COLOR,
    MASK_COLOR,
    REAL_COLOR,
    BoxCase,
    box_sheet,
    color_real_things,
    image_sheet,
    mask_of,
    outline,
)

AROUND = Box(CAR, 30, 20, 69, 49)


def case(box=AROUND):
    image = np.full((100, 120, 3), 90, np.uint8)
    mask, real = np.zeros((100, 120), bool), np.zeros((100, 120), bool)
    mask[25:45, 35:50], real[22:48, 55:68] = True, True
    return BoxCase(("car: IoU 0.00", "a"), image, box, mask, real)


def colors_at(picture, color):
    return np.argwhere((picture == np.array(color, np.uint8)).all(axis=-1))


class TestSheets:
    """Pictures."""

    def test_outlines_lie_around_what_they_stand_for(self):
        picture = outline(case())
        # Surroundings of a quarter: 10 pixels at the sides of a box of 40, so 60 columns from 20 on.
        scale = picture.shape[1] / 60
        mask, real, box = (colors_at(picture, c) for c in (MASK_COLOR, REAL_COLOR, BOX_COLOR))
        for found, first, last in ((mask, 35, 50), (real, 55, 68), (box, 30, 70)):
            assert found[:, 1].min() == pytest.approx((first - 20) * scale, abs=3)
            assert found[:, 1].max() == pytest.approx((last - 20) * scale, abs=3)
        # An outline, and not a filled area.
        assert len(mask) < 0.3 * 20 * 15 * scale**2

    def test_a_box_in_the_corner(self):
        assert outline(case(Box(CAR, 0, 0, 3, 2))).shape[2] == 3

    def test_the_sheet_holds_all_boxes(self):
        one, seven = box_sheet([case()]), box_sheet([case()] * 7, columns=3)
        assert seven.shape[0] > 2 * one.shape[0]
        assert len(colors_at(seven, MASK_COLOR)) > 5 * len(colors_at(outline(case()), MASK_COLOR))
        with pytest.raises(ValueError, match="at least one box"):
            box_sheet([])

    def test_the_sheet_of_images(self):
        picture = np.full((20, 40, 3), (9, 99, 199), np.uint8)
        sheet = image_sheet([[("image", picture), ("map", picture)]] * 3, STREET, height=20)
        assert len(colors_at(sheet, (9, 99, 199))) == 6 * 20 * 40
        with pytest.raises(ValueError, match="at least one image"):
            image_sheet([], STREET)

    def test_real_things_alone_have_a_colour(self):
        picture = color_real_things(TRUTH, STREET)
        assert (picture[0, 0] == NO_THING_COLOR).all()
        assert (picture[5] == NO_THING_COLOR).all()
        assert (picture[2, 0] == STREET.palette[CAR]).all()
        assert not (picture[0, 5] == NO_THING_COLOR).all()  # ignored

    def test_the_mask_of_a_box_ends_with_it(self):
        found = mask_of(np.full((4, 5), CAR, np.uint8), Box(CAR, 1, 2, 3, 3))
        assert np.argwhere(found).tolist() == [[y, x] for y in (2, 3) for x in (1, 2, 3)]


class TestTables:
    """Text."""

    def test_columns_are_aligned(self):
        found = text_table(("", "boxes"), [("all", "7"), ("traffic sign", "1234567")])
        assert found.splitlines() == ["                boxes", "all                 7", "traffic sign  1234567"]
        with pytest.raises(ValueError, match="argument"):
            text_table(("", "boxes"), [("all",)])

    def test_masks(self):
        counts = dict.fromkeys(READINGS, PixelCounts(10, 10, 5, 8))
        boxes = [
            AuditedBox("a", "car", BoxScore(0, Box(CAR, 0, 0, 9, 9), counts), "not needed", 0.5),
            AuditedBox("a", "dog", BoxScore(1, Box(CAR, 0, 0, 9, 9), {}), "small box", 0.5),
        ]
        lines = mask_table(summarise_boxes(boxes, STREET.names)).splitlines()
        names = [line[:20].rstrip() for line in lines[1:]]
        assert names == ["all", "car", "dog", "small boxes", "did not fall back", "fell back: small box"]
        assert lines[1].split()[1:] == ["2", "1", "33.3", "50.0", "50.0", "50.0", "80.0", "50.0", *["33.3"] * 3]
        assert lines[3].split()[1:] == ["1", "1", *["\N{EN DASH}"] * 9]

    def test_cams(self):
        real = np.array([[0, 0, 1]], np.uint8)
        lines = cam_table(summarise_cams({"a": count_cam(real * 0, real, STREET)}, STREET)).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["all", "road", "sky"]
        assert lines[2].split()[1:] == ["100.0", "66.7", "100.0"] * 2
        assert lines[3].split()[1:] == ["0.0", "\N{EN DASH}", "0.0"] * 2
