"""Labels from predicted heatmaps, and from those that were kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weakpan.basics.catalog import TOY_CITY
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.candidates import CandidateSets, candidate_sets
from weakpan.data.crops import CropGrid
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.label_maps import (
    HeatmapsToLabels,
    Pixels,
    classes_for,
    compact,
    label_map,
    label_map_from_kept,
)
from weakpan.seeds.rules import Competing, PublishedRule

STILL = Competing(diffusion=DiffusionSettings(steps=0))
PUBLISHED = PublishedRule()
SIZE, CROP = (61, 90), (40, 50)
GRID = CropGrid(24, 20)
ROAD, SKY = TOY_CITY.train_id_named("road"), TOY_CITY.train_id_named("sky")
TABLE = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1]], dtype=torch.bool)


def case(seed=0):
    """Heatmaps of classes 0, 2 and 3, as smooth as networks make them, and candidates of two halves and a corner."""
    torch.manual_seed(seed)
    small = torch.randn(1, 3, 6, 8)
    signed = torch.nn.functional.interpolate(small, SIZE, mode="bicubic")[0] * torch.tensor([9, 1, 0.1])[:, None, None]
    index = torch.ones(SIZE, dtype=torch.int32)
    index[:, 45:], index[:5, :5] = 2, 0
    return [0, 2, 3], signed, Pixels(TABLE, index, torch.randint(0, 255, (3, *SIZE), dtype=torch.uint8))


def on_disk(pixels):
    """The same as files have it."""
    return CandidateSets(pixels.index.numpy(), pixels.table.numpy()), pixels.image.permute(1, 2, 0).numpy()


def test_classes_that_no_pixel_can_have_take_no_part():
    _, _, pixels = case()
    assert classes_for(STILL, [0, 1, 3], pixels) == [0, 3]
    assert classes_for(PUBLISHED, [0, 1, 3], pixels) == classes_for(PUBLISHED, [0, 1, 3], None) == [0, 1, 3]
    assert classes_for(STILL, [0, 1, 3], replace(pixels, table=TABLE[:1])) == []


def test_labels_are_candidates_of_their_pixels():
    classes, signed, pixels = case()
    labels = label_map(Competing(threshold=0), classes, signed, pixels)
    assert (labels[:5, :5] == 255).all()
    assert set(np.unique(labels[5:, :45])) == {0, 2}
    assert set(np.unique(labels[:, 45:])) == {0, 2, 3}
    with pytest.raises(ValueError, match="needs candidates"):
        label_map(STILL, classes, signed, None)


@pytest.mark.parametrize("rule", [STILL, Competing(), PUBLISHED], ids=["still", "flowing", "published"])
def test_kept_heatmaps_give_the_same_labels_but_for_rounding(rule):
    differ = []
    for seed in range(5):
        classes, signed, pixels = case(seed)
        kept = compact(classes, signed.clamp_min(0), signed, CROP)
        expected = label_map(rule, classes, signed if rule.signed else signed.clamp_min(0), pixels)
        sets, image = on_disk(pixels)
        found = label_map_from_kept(
            kept, rule, sets if rule.needs_candidates else None, image if rule.needs_image else None
        )
        assert found.shape == SIZE
        assert (found != 255).any()
        differ.append((found != expected).mean())
    # Labels change where a threshold lies within a step or a pixel of a place: on maps that bend every dozen pixels one
    # to two in a hundred, on an image of 1024 x 2048 a few in a thousand.
    assert max(differ) < 0.03


def test_kept_heatmaps_know_for_and_against_apart():
    # In the overlap of two crops a class can be spoken for by one and against by the other.
    positive, signed = torch.full((1, 4, 6), 2.0), torch.full((1, 4, 6), -1.0)
    kept = compact([3], positive, signed, CROP)
    np.testing.assert_allclose(kept.speaks_for(), 2, rtol=1e-6)
    np.testing.assert_allclose(kept.signed(), -1, rtol=1e-6)


def test_the_published_rule_takes_its_share_of_the_true_maximum():
    # A lone high pixel, which the average of four loses.
    positive = torch.full((1, 8, 8), 4.5)
    positive[0, 3, 3] = 10
    found = label_map_from_kept(compact([2], positive, positive, CROP), PUBLISHED, None, None)
    assert (found == 255).mean() > 0.8


def test_an_image_without_tags():
    nothing, sets = torch.zeros(0, 6, 8), CandidateSets(np.zeros((6, 8), np.int32), np.ones((1, 4), bool))
    for rule in (STILL, PUBLISHED):
        labels = label_map_from_kept(compact([], nothing, nothing, CROP), rule, sets, None)
        assert labels.shape == (6, 8)
        assert (labels == 255).all()


def take(tags, pairs, heatmaps, rule, keep=None):
    """Labels of an image of 24 x 40 with two crops that do not overlap."""
    annotation = ImageAnnotation("x", 24, 40, (), tuple(frozenset(t) for t in tags))
    sets = candidate_sets(annotation, GRID, TOY_CITY, np.arange(24), np.arange(40))
    written = {}
    HeatmapsToLabels(written.__setitem__, keep, GRID, rule)({
        "image_id": "x", "image": torch.full((3, 24, 40), 100, dtype=torch.uint8),
        "set_index": torch.from_numpy(sets.index), "set_table": torch.from_numpy(sets.table),
        "pairs": torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2), "heatmaps": heatmaps,
    })  # fmt: skip
    return written["x"]


@pytest.mark.parametrize("rule", [Competing(), PUBLISHED], ids=["competing", "published"])
def test_a_crop_without_tags_gets_no_labels(rule):
    labels = take([{ROAD}, set()], [[0, ROAD]], torch.full((1, 3, 3), 2.0), rule)
    assert (labels[:, :20] == ROAD).all()
    assert (labels[:, 20:] == 255).all()


@pytest.mark.parametrize("rule", [Competing(), PUBLISHED], ids=["competing", "published"])
def test_an_image_without_tags_is_written_unlabelled(rule):
    labels = take([set(), set()], [], torch.zeros(0, 3, 3), rule)
    assert labels.dtype == np.uint8
    assert (labels == 255).all()


def test_evidence_against_a_class_speaks_for_its_rival():
    heatmaps = torch.zeros(2, 4, 4)
    heatmaps[0, :2], heatmaps[0, 2:] = -3.0, 3.0
    labels = take([{ROAD, SKY}, {ROAD}], [[0, ROAD], [0, SKY]], heatmaps, STILL)
    assert (labels[:8, :18] == SKY).all()
    assert (labels[16:, :18] == ROAD).all()
    assert (labels[:, 20:] == ROAD).all()


@pytest.mark.parametrize("rule", [Competing(), PUBLISHED], ids=["competing", "published"])
def test_keeping_heatmaps_changes_no_label(rule):
    torch.manual_seed(1)
    car = TOY_CITY.train_id_named("car")
    # No pixel can be a car, for want of a box: its heatmap is kept all the same.
    pairs = [[0, ROAD], [0, SKY], [0, car], [1, ROAD]]
    case = [{ROAD, SKY, car}, {ROAD}], pairs, torch.randn(4, 5, 6), rule
    kept = {}
    np.testing.assert_array_equal(take(*case, kept.__setitem__), take(*case))
    assert kept["x"].classes == tuple(sorted([ROAD, SKY, car]))
    assert kept["x"].positive.shape == (3, 12, 20)
    assert kept["x"].signed().max() > 0 > kept["x"].signed().min()
    assert set(np.unique(take(*case))) <= {ROAD, SKY, 255, car if rule is PUBLISHED else 255}
