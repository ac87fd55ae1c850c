"""Grad-CAM against one class at a time, and the label map made of the heatmaps."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from weakpan.cues.grad_cam import CamSettings, cam_labels, cam_labels_among, grad_cam, stitch_cams
from weakpan.data.crops import CropGrid, Tile
from weakpan.errors import ConfigError


def head_of(features=6, classes=4, seed=0):
    torch.manual_seed(seed)
    head = nn.Sequential(
        nn.Conv2d(features, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, classes),
    )  # fmt: skip
    return head.eval()


def slow_cam(feature, head, class_id):
    """The definition: weights are the mean gradient of a class's logit, the map is the positive weighted sum."""
    leaf = feature.clone()[None].requires_grad_(True)
    head(leaf)[0, class_id].backward()
    weights = leaf.grad[0].mean(dim=(1, 2))
    return F.relu((weights[:, None, None] * feature).sum(dim=0))


def test_all_pairs_at_once_equal_one_by_one():
    torch.manual_seed(1)
    features, head = torch.rand(3, 6, 5, 7), head_of()
    tags = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]], dtype=torch.bool)
    pairs, heatmaps = grad_cam(features, head, tags)
    assert pairs.tolist() == [[0, 0], [0, 2], [0, 3], [2, 1], [2, 3]]
    for (crop, class_id), heatmap in zip(pairs.tolist(), heatmaps, strict=True):
        torch.testing.assert_close(heatmap, slow_cam(features[crop], head, class_id))
    assert heatmaps.max() > 0
    assert not heatmaps.requires_grad


def test_gradients_are_taken_without_grad_mode_and_leave_no_trace():
    head = head_of()
    with torch.no_grad():
        _, heatmaps = grad_cam(torch.rand(1, 6, 3, 3), head, torch.ones(1, 4, dtype=torch.bool))
    assert heatmaps.shape == (4, 3, 3)
    assert all(p.grad is None for p in head.parameters())


def test_an_image_without_tags_has_no_maps():
    pairs, heatmaps = grad_cam(torch.rand(2, 6, 3, 4), head_of(), torch.zeros(2, 4, dtype=torch.bool))
    assert pairs.shape == (0, 2)
    assert heatmaps.shape == (0, 3, 4)
    cams = stitch_cams(pairs, heatmaps, CropGrid(6, 8).tiles(6, 8), (6, 8), 4, CamSettings())
    assert cams.shape == (4, 6, 8)
    assert (cam_labels(cams, CamSettings(threshold=0.5)) == 255).all()


def test_overlapping_tiles_are_averaged():
    tiles = [Tile(0, 0, 2, 4), Tile(0, 2, 2, 6)]
    pairs = torch.tensor([[0, 1], [1, 1], [0, 0]])
    heatmaps = torch.stack([torch.full((2, 4), v) for v in (1.0, 3.0, 4.0)])
    cams = stitch_cams(pairs, heatmaps, tiles, (2, 6), 3, CamSettings(tile_normalised=False))
    assert cams[1, 0].tolist() == [1, 1, 2, 2, 3, 3]
    # The second tile does not have class 0 among its tags: it counts as 0 in the average.
    assert cams[0, 0].tolist() == [4, 4, 2, 2, 0, 0]
    assert not cams[2].any()


def test_tiles_are_normalised_by_their_own_maximum_when_asked():
    tiles = [Tile(0, 0, 1, 2), Tile(0, 2, 1, 4)]
    pairs = torch.tensor([[0, 0], [1, 0]])
    heatmaps = torch.tensor([[[8.0, 2.0]], [[0.0, 0.5]]])
    one = stitch_cams(pairs, heatmaps, tiles, (1, 4), 1, CamSettings(tile_normalised=True))
    torch.testing.assert_close(one[0, 0], torch.tensor([1.0, 0.25, 0.0, 1.0]))
    raw = stitch_cams(pairs, heatmaps, tiles, (1, 4), 1, CamSettings(tile_normalised=False))
    torch.testing.assert_close(raw[0, 0], torch.tensor([8.0, 2.0, 0.0, 0.5]))
    # A tile in which the class does not answer at all stays 0.
    silent = stitch_cams(pairs, heatmaps * 0, tiles, (1, 4), 1, CamSettings())
    assert torch.isfinite(silent).all()
    assert not silent.any()


def test_small_heatmaps_are_enlarged_to_their_tile():
    heatmaps = torch.tensor([[[0.0, 1.0]]])
    cams = stitch_cams(torch.tensor([[0, 0]]), heatmaps, [Tile(1, 2, 3, 6)], (4, 7), 1, CamSettings())
    torch.testing.assert_close(cams[0, 1, 2:6], torch.tensor([0.0, 0.25, 0.75, 1.0]))
    assert cams[0, :, :2].sum() == cams[0, 0].sum() == cams[0, 3].sum() == 0


def test_pixels_above_half_of_the_maximum_are_kept():
    cams = torch.tensor([[[4.0, 2.1, 2.0, 0.0]]])
    assert cam_labels(cams, CamSettings(threshold=0.5)).tolist() == [[0, 0, 255, 255]]
    assert cam_labels(cams, CamSettings(threshold=0.0)).tolist() == [[0, 0, 0, 255]]
    assert cam_labels(cams, CamSettings(threshold=1.0)).tolist() == [[255] * 4]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_smaller_area_wins(order):
    wide, narrow = torch.tensor([[9.0, 9.0, 9.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    cams = torch.stack([(wide, narrow)[k] for k in order])
    small, large = order.index(1), order.index(0)
    assert cam_labels(cams, CamSettings(threshold=0.5)).tolist() == [[large, small, large, small]]


def test_labels_against_a_slow_rule():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cams = (rng.random((5, 6, 7)) * rng.integers(0, 2, (5, 1, 1))).astype(np.float32)
        kept = [cams[c] > 0.5 * cams[c].max() if cams[c].max() > 0 else cams[c] > 9 for c in range(5)]
        areas = [int(k.sum()) for k in kept]
        expected = np.full((6, 7), 255)
        for y, x in np.ndindex(6, 7):
            claims = [(areas[c], -c) for c in range(5) if kept[c][y, x]]
            if claims:
                expected[y, x] = -min(claims)[1]
        np.testing.assert_array_equal(cam_labels(torch.from_numpy(cams), CamSettings(threshold=0.5)), expected)


def test_among_candidates_the_strongest_allowed_class_wins():
    cams = torch.tensor([[[4.0, 2.0, 1.0, 0.0]], [[1.0, 2.0, 2.0, 0.0]]])
    allowed = torch.tensor([[[True, True, True, True]], [[True, False, True, True]]])
    settings = CamSettings(threshold=0.5)
    # Relative to its maximum class 1 answers more strongly on the second pixel, but cannot be there.
    assert cam_labels_among(cams, allowed, settings).tolist() == [[0, 0, 1, 255]]
    assert cam_labels_among(cams, allowed & False, settings).tolist() == [[255] * 4]


def test_an_unknown_rule_is_refused_by_its_key():
    with pytest.raises(ConfigError, match=r"cues\.cam\.rule=best"):
        CamSettings(rule="best")
