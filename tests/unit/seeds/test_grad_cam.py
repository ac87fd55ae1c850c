"""Grad-CAM against one class at a time, and its crops put together."""

import torch
from torch import nn

from weakpan.data.crops import Crop, CropGrid
from weakpan.seeds import grad_cam as module_of_grad_cam
from weakpan.seeds.grad_cam import grad_cam, stitch_cams


def head_of(features=6, classes=4, seed=0):
    torch.manual_seed(seed)
    head = nn.Sequential(
        nn.Conv2d(features, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, classes),
    )  # fmt: skip
    return head.eval()


def slow_cam(feature, head, class_id):
    """The definition: weights are the summed gradient of a class's logit, the map is the weighted sum."""
    leaf = feature.clone()[None].requires_grad_(True)
    head(leaf)[0, class_id].backward()
    weights = leaf.grad[0].sum(dim=(1, 2))
    return (weights[:, None, None] * feature).sum(dim=0)


def test_all_pairs_at_once_equal_one_by_one():
    torch.manual_seed(1)
    features, head = torch.rand(3, 6, 5, 7), head_of()
    tags = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]], dtype=torch.bool)
    pairs, heatmaps = grad_cam(features, head, tags)
    assert pairs.tolist() == [[0, 0], [0, 2], [0, 3], [2, 1], [2, 3]]
    for (crop, class_id), heatmap in zip(pairs.tolist(), heatmaps, strict=True):
        torch.testing.assert_close(heatmap, slow_cam(features[crop], head, class_id))
    assert heatmaps.max() > 0 > heatmaps.min()
    assert not heatmaps.requires_grad


def test_many_pairs_are_done_in_parts_that_change_nothing(monkeypatch):
    torch.manual_seed(2)
    features, head, tags = torch.rand(4, 6, 3, 5), head_of(), torch.rand(4, 4) > 0.3
    pairs, whole = grad_cam(features, head, tags)
    monkeypatch.setattr(module_of_grad_cam, "_VALUES_AT_ONCE", 3 * 6 * 3 * 5)
    again, parts = grad_cam(features, head, tags)
    assert len(pairs) > 6
    assert torch.equal(pairs, again)
    torch.testing.assert_close(whole, parts)


def test_heatmaps_do_not_depend_on_how_large_a_crop_is_shown():
    torch.manual_seed(3)
    features, head, tags = torch.rand(2, 6, 3, 4), head_of(), torch.ones(2, 4, dtype=torch.bool)
    _, small = grad_cam(features, head, tags)
    _, large = grad_cam(features.repeat(1, 1, 2, 2), head, tags)
    torch.testing.assert_close(large, small.repeat(1, 2, 2))


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
    cams = stitch_cams(pairs, heatmaps, CropGrid(6, 8).crops(6, 8), (6, 8), 4)
    assert cams.shape == (4, 6, 8)
    assert not cams.any()


def test_overlapping_crops_are_averaged():
    crops = [Crop(0, 0, 2, 4), Crop(0, 2, 2, 6)]
    pairs = torch.tensor([[0, 1], [1, 1], [0, 0]])
    heatmaps = torch.stack([torch.full((2, 4), v) for v in (1.0, 3.0, 4.0)])
    cams = stitch_cams(pairs, heatmaps, crops, (2, 6), 3)
    assert cams[1, 0].tolist() == [1, 1, 2, 2, 3, 3]
    # The second crop does not have class 0 among its tags: it counts as 0 in the average.
    assert cams[0, 0].tolist() == [4, 4, 2, 2, 0, 0]
    assert not cams[2].any()


def test_small_heatmaps_are_enlarged_to_their_crop():
    heatmaps = torch.tensor([[[0.0, 1.0]]])
    cams = stitch_cams(torch.tensor([[0, 0]]), heatmaps, [Crop(1, 2, 3, 6)], (4, 7), 1)
    torch.testing.assert_close(cams[0, 1, 2:6], torch.tensor([0.0, 0.25, 0.75, 1.0]))
    assert cams[0, :, :2].sum() == cams[0, 0].sum() == cams[0, 3].sum() == 0
