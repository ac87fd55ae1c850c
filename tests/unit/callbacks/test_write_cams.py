"""From predicted heatmaps to label maps."""

import numpy as np
import pytest
import torch

from weakpan.basics.catalog import TOY_CITY
from weakpan.callbacks.write_cams import WriteCams
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.candidates import candidate_sets
from weakpan.data.crops import CropGrid
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.settings import CamSettings

GRID = CropGrid(24, 20)
ROAD, SKY = TOY_CITY.train_id_named("road"), TOY_CITY.train_id_named("sky")


def take(tags, pairs, heatmaps, settings, keep=None):
    """Labels of an image of 24 x 40 with two tiles that do not overlap."""
    annotation = ImageAnnotation("x", 24, 40, (), tuple(frozenset(t) for t in tags))
    sets = candidate_sets(annotation, GRID, TOY_CITY, np.arange(24), np.arange(40))
    written = {}
    WriteCams(written.__setitem__, keep, GRID, settings).take({
        "image_id": "x", "image": torch.full((3, 24, 40), 100, dtype=torch.uint8),
        "set_index": torch.from_numpy(sets.index), "set_table": torch.from_numpy(sets.table),
        "pairs": torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2), "heatmaps": heatmaps,
    })  # fmt: skip
    return written["x"]


@pytest.mark.parametrize("rule", ["competing", "published"])
def test_a_tile_without_tags_gets_no_labels(rule):
    labels = take([{ROAD}, set()], [[0, ROAD]], torch.full((1, 3, 3), 2.0), CamSettings(rule=rule))
    assert (labels[:, :20] == ROAD).all()
    assert (labels[:, 20:] == 255).all()


@pytest.mark.parametrize("rule", ["competing", "published"])
def test_an_image_without_tags_is_written_unlabelled(rule):
    labels = take([set(), set()], [], torch.zeros(0, 3, 3), CamSettings(rule=rule))
    assert labels.dtype == np.uint8
    assert (labels == 255).all()


def test_evidence_against_a_class_speaks_for_its_rival():
    heatmaps = torch.zeros(2, 4, 4)
    heatmaps[0, :2], heatmaps[0, 2:] = -3.0, 3.0
    still = CamSettings(diffusion=DiffusionSettings(steps=0))
    labels = take([{ROAD, SKY}, {ROAD}], [[0, ROAD], [0, SKY]], heatmaps, still)
    assert (labels[:8, :18] == SKY).all()
    assert (labels[16:, :18] == ROAD).all()
    assert (labels[:, 20:] == ROAD).all()


@pytest.mark.parametrize("rule", ["competing", "published"])
def test_keeping_heatmaps_changes_no_label(rule):
    torch.manual_seed(1)
    car = TOY_CITY.train_id_named("car")
    # No pixel can be a car, for want of a box: its heatmap is kept all the same.
    pairs = [[0, ROAD], [0, SKY], [0, car], [1, ROAD]]
    case = [{ROAD, SKY, car}, {ROAD}], pairs, torch.randn(4, 5, 6), CamSettings(rule=rule)
    kept = {}
    np.testing.assert_array_equal(take(*case, kept.__setitem__), take(*case))
    assert kept["x"].classes == tuple(sorted([ROAD, SKY, car]))
    assert kept["x"].positive.shape == (3, 12, 20)
    assert kept["x"].signed().max() > 0 > kept["x"].signed().min()
    assert set(np.unique(take(*case))) <= {ROAD, SKY, 255, car if rule == "published" else 255}
