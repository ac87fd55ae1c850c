"""Pictures of the worst cues: their key names the classes that occur, and no others."""

from types import SimpleNamespace

import numpy as np
import pytest

from weakpan.audit.worst_cues import draw_worst_masks, draw_worst_seeds
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box
from weakpan.seeds.heatmaps import HeatmapFolder

NAMES = TOY_CITY.names
ROAD, SKY, CAR, RIDER = (NAMES.index(name) for name in ("road", "sky", "car", "rider"))


@pytest.fixture
def real():
    """Road below, sky above; black images."""
    classes = np.full((20, 30), ROAD, np.uint8)
    classes[:10] = SKY
    truth = PanopticTruth(classes, np.zeros((20, 30), np.int32))
    return SimpleNamespace(
        catalog=TOY_CITY, classes=lambda _: classes, panoptic=lambda _: truth,
        image=lambda _: np.zeros((20, 30, 3), np.uint8),
    )  # fmt: skip


def classes_in(sheet):
    """Those with a colour of their own: letters have all shades of grey."""
    colors = {tuple(color) for color in np.unique(sheet.reshape(-1, 3), axis=0).tolist()}
    return {c.name for c in TOY_CITY.classes if c.color in colors and len(set(c.color)) > 1}


def test_the_key_of_cam_labels(real, tmp_path):
    cam = np.full((20, 30), 255, np.uint8)
    cam[:2] = CAR
    sheet = draw_worst_seeds([("a", 0.5)], real, SimpleNamespace(read=lambda _: cam), HeatmapFolder(tmp_path, TOY_CITY))
    assert classes_in(sheet) == {"road", "sky", "car"}


def test_the_key_of_masks_has_things_and_the_classes_of_boxes(real):
    masks = np.full((20, 30), 254, np.uint8)
    masks[5:8, 5:8] = CAR
    weak = SimpleNamespace(boxes=lambda _: ((20, 30), (Box(RIDER, 12, 5, 16, 9),)))
    sheet = draw_worst_masks([("a", 0.5)], weak, real, SimpleNamespace(read=lambda _: masks))
    assert classes_in(sheet) == {"car", "rider"}
