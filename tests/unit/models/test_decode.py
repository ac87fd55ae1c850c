"""The panoptic decoder on small maps."""

import numpy as np
import pytest
import torch

from weakpan.models.decode import PanopticDecoder, decode_panoptic, find_centres, group_pixels

IS_THING = torch.tensor([False, True, True, False])


def certain(classes, confidence=0.9):
    """(C, H, W) with one class sure at every pixel."""
    probabilities = torch.full((4, *classes.shape), (1 - confidence) / 3)
    return probabilities.scatter(0, classes[None], confidence)


def heatmap(height, width, **centres):
    values = torch.zeros(height, width)
    for position, value in centres.items():
        y, x = (int(n) for n in position[1:].split("_"))
        values[y, x] = value
    return values


def test_centres_are_local_maxima_strongest_first():
    values = heatmap(9, 9, c1_1=0.5, c1_3=0.4, c7_7=0.9, c7_1=0.05)
    centres, strength = find_centres(values, PanopticDecoder(centre_window=5, centre_threshold=0.1))
    assert centres.tolist() == [[7, 7], [1, 1]]
    assert strength.tolist() == pytest.approx([0.9, 0.5])
    centres, _ = find_centres(values, PanopticDecoder(centre_window=3, centre_threshold=0.1))
    assert centres.tolist() == [[7, 7], [1, 1], [1, 3]]
    centres, _ = find_centres(values, PanopticDecoder(centre_window=3, max_instances=1))
    assert centres.tolist() == [[7, 7]]


def test_pixels_go_to_the_centre_they_point_to():
    offset = torch.zeros(2, 1, 6)
    offset[1, 0] = torch.tensor([0.0, 3.0, -1.0, 1.0, -4.0, 0.0])
    mask = torch.ones(1, 6, dtype=torch.bool)
    mask[0, 5] = False
    groups = group_pixels(offset, mask, torch.tensor([[0.0, 0.0], [0.0, 4.0]]))
    assert groups.tolist() == [[1, 2, 1, 2, 1, 0]]


def test_many_pixels_are_grouped_like_few():
    torch.manual_seed(0)
    offset, centres = torch.randn(2, 300, 300) * 5, torch.rand(7, 2) * 300
    groups = group_pixels(offset, torch.ones(300, 300, dtype=torch.bool), centres)
    grid = torch.stack(torch.meshgrid(torch.arange(300), torch.arange(300), indexing="ij")).float() + offset
    distance = ((grid[:, None] - centres.T[:, :, None, None]) ** 2).sum(dim=0)
    assert (distance.argmin(dim=0) + 1 == groups).float().mean() > 0.9999


def test_a_group_takes_the_class_of_most_of_its_pixels():
    classes = torch.tensor([[1, 1, 1, 2, 0, 0]])
    found = decode_panoptic(
        certain(classes), heatmap(1, 6, c0_1=0.5), torch.zeros(2, 1, 6), IS_THING,
        PanopticDecoder(min_thing_area=1, min_stuff_area=1, centre_window=3),
    )  # fmt: skip
    assert [(s.class_id, s.segment_id) for s in found.segments] == [(1, 1), (0, 2)]
    assert found.ids.tolist() == [[1, 1, 1, 1, 2, 2]]
    # Mean probability of class 1 over the four pixels, times the centre's value.
    assert found.segments[0].score == pytest.approx((3 * 0.9 + 0.1 / 3) / 4 * 0.5)
    assert found.segments[1].score == pytest.approx(0.9)
    assert found.ids.dtype == np.int32


def test_small_segments_are_dropped():
    classes = torch.tensor([[1, 1, 0, 0, 0, 3]])
    settings = PanopticDecoder(min_thing_area=3, min_stuff_area=2, centre_window=3)
    found = decode_panoptic(certain(classes), heatmap(1, 6, c0_0=1.0), torch.zeros(2, 1, 6), IS_THING, settings)
    assert found.ids.tolist() == [[0, 0, 1, 1, 1, 0]]
    assert [s.class_id for s in found.segments] == [0]


def test_things_without_any_centre_stay_unlabelled():
    classes = torch.tensor([[1, 1, 0]])
    settings = PanopticDecoder(min_thing_area=0, min_stuff_area=0)
    found = decode_panoptic(certain(classes), torch.zeros(1, 3), torch.zeros(2, 1, 3), IS_THING, settings)
    assert found.ids.tolist() == [[0, 0, 1]]


def test_every_id_of_the_map_is_a_segment_once():
    torch.manual_seed(0)
    probabilities = torch.randn(4, 40, 50).softmax(dim=0)
    found = decode_panoptic(
        probabilities, torch.rand(40, 50), torch.randn(2, 40, 50) * 3, IS_THING, PanopticDecoder(min_thing_area=1)
    )
    ids = [s.segment_id for s in found.segments]
    assert sorted(ids) == ids == sorted(set(np.unique(found.ids).tolist()) - {0})
    assert all(0 <= s.score <= 1 for s in found.segments)
    stuff = [s.class_id for s in found.segments if not IS_THING[s.class_id]]
    assert len(set(stuff)) == len(stuff)
