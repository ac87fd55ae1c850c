"""From predicted heatmaps to label maps."""

import numpy as np
import pytest
import torch

from weakpan.callbacks.write_cams import WriteCams
from weakpan.catalog import TOY_CITY
from weakpan.cues.cam_settings import CamSettings, DiffusionSettings
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid

GRID = CropGrid(24, 20)
ROAD, SKY = TOY_CITY.train_id_named("road"), TOY_CITY.train_id_named("sky")


def labels_of(tags, pairs, heatmaps, settings):
    """Of an image of 24 x 40 with two tiles that do not overlap."""
    annotation = ImageAnnotation("x", 24, 40, (), tuple(frozenset(t) for t in tags))
    written = {}
    writer = WriteCams(written.__setitem__, WeakAnnotations(TOY_CITY, GRID, {"x": annotation}), settings)
    image = torch.full((3, 24, 40), 100, dtype=torch.uint8)
    writer.take({"image_id": "x", "image": image, "pairs": torch.tensor(pairs).reshape(-1, 2), "heatmaps": heatmaps})
    return written["x"]


@pytest.mark.parametrize("rule", ["competing", "published"])
def test_a_tile_without_tags_gets_no_labels(rule):
    labels = labels_of([{ROAD}, set()], [[0, ROAD]], torch.full((1, 3, 3), 2.0), CamSettings(rule=rule))
    assert (labels[:, :20] == ROAD).all()
    assert (labels[:, 20:] == 255).all()


@pytest.mark.parametrize("rule", ["competing", "published"])
def test_an_image_without_tags_is_written_unlabelled(rule):
    labels = labels_of([set(), set()], [], torch.zeros(0, 3, 3), CamSettings(rule=rule))
    assert labels.dtype == np.uint8
    assert (labels == 255).all()


def test_evidence_against_a_class_speaks_for_its_rival():
    heatmaps = torch.zeros(2, 4, 4)
    heatmaps[0, :2], heatmaps[0, 2:] = -3.0, 3.0
    still = CamSettings(diffusion=DiffusionSettings(steps=0))
    labels = labels_of([{ROAD, SKY}, {ROAD}], [[0, ROAD], [0, SKY]], heatmaps, still)
    assert (labels[:8, :18] == SKY).all()
    assert (labels[16:, :18] == ROAD).all()
    assert (labels[:, 20:] == ROAD).all()
