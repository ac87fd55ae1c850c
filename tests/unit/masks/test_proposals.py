"""Choosing a segment for a box."""

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.data.annotations import Box
from weakpan.masks.contours import contour_strength
from weakpan.masks.painting import mask_iou
from weakpan.masks.partition import Partition, merge_tree, watershed_partition
from weakpan.masks.proposals import ShapeWeights, _candidates, _Scorer, proposal_mask
from weakpan.masks.region import Region, crop_region, elliptic_radius


def proposed(region, weights):
    return proposal_mask(region, weights, contour_strength(region.pixels))


@pytest.mark.parametrize("weights", [ShapeWeights(), None])
@pytest.mark.parametrize("seed", range(3))
def test_finds_an_object_with_a_visible_contour(weights, seed):
    image, truth, box = disc_in_grass(seed=seed)
    region = crop_region(image, box, 128, margin=0.35)
    assert mask_iou(region.to_box(proposed(region, weights)), truth[box.slices]) > 0.85


def test_published_rule_looks_at_the_bounding_box_alone():
    # A frame along the border of the box fits the box as well as anything; the blob in its middle does not.
    image = np.full((90, 120, 3), 60, np.uint8)
    box = Box(0, 30, 20, 89, 69)
    image[box.slices] = (200, 60, 60)
    image[32:58, 44:76] = (60, 60, 200)
    region = crop_region(image, box, 128, margin=0.35)
    published = region.to_box(proposed(region, None))
    rows, cols = np.nonzero(published)
    assert rows.min() <= 1
    assert rows.max() >= 48
    assert cols.min() <= 1
    assert cols.max() >= 58
    blob_only = ShapeWeights(box=0, contour=0, prior=1, radius=0.5)
    ours = region.to_box(proposed(region, blob_only))
    assert ours[25, 30]
    assert ours.mean() < 0.5


def test_measures_of_unions_equal_those_of_their_masks():
    image, _, box = disc_in_grass(seed=5)
    region = crop_region(image, box, 64, margin=0.35)
    contours = contour_strength(region.pixels)
    partition = watershed_partition(contours)
    weights = ShapeWeights(box=0.7, contour=1.3, prior=2.1, radius=0.9)
    scorer = _Scorer(partition, region, weights)
    unions = merge_tree(partition)[::7]
    assert len(unions) > 5
    prior = np.zeros(region.shape)
    prior[region.rows, region.cols] = 1 / (1 + np.exp(-6 * (0.9 - elliptic_radius(*region.inner_shape))))
    inner = np.zeros(region.shape, bool)
    inner[region.rows, region.cols] = True
    for union, box_iou, score in zip(unions, scorer.box_iou(unions), scorer.score(unions), strict=True):
        mask = union[partition.labels]
        rows, cols = np.nonzero(mask)
        bounds = np.zeros(region.shape, bool)
        bounds[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1] = True
        assert box_iou == pytest.approx(mask_iou(bounds, inner), rel=1e-5)
        steps = []
        for axis in (0, 1):
            low = [slice(None, -1) if a == axis else slice(None) for a in (0, 1)]
            high = [slice(1, None) if a == axis else slice(None) for a in (0, 1)]
            crossing = mask[tuple(low)] != mask[tuple(high)]
            steps.extend(np.maximum(contours[tuple(low)], contours[tuple(high)])[crossing])
        contour = np.mean(steps) if steps else 0.0
        soft = prior[mask].sum() / (prior.sum() + mask.sum() - prior[mask].sum())
        assert score == pytest.approx(0.7 * box_iou + 1.3 * contour + 2.1 * soft, rel=1e-4)


@pytest.mark.parametrize("weights", [ShapeWeights(), None])
def test_flat_ground_proposes_something(weights):
    region = crop_region(np.full((60, 60, 3), 128, np.uint8), Box(0, 20, 20, 39, 39), 96, margin=0.35)
    assert region.to_box(proposed(region, weights)).any()


def test_pairs_recover_an_object_that_the_merging_tore_apart():
    # Four stripes; the outer borders are weak, so each half of the object melts into its side before the halves meet.
    labels = np.repeat(np.arange(4, dtype=np.int32), 10)[None].repeat(20, axis=0)
    borders = np.array([[0, 1], [1, 2], [2, 3]])
    partition = Partition(labels, borders, np.full(3, 20, np.float32), np.array([2, 10, 2], np.float32))
    region = Region(np.zeros((20, 40, 3), np.uint8), slice(0, 20), slice(10, 30), (20, 40), (0, 10), (20, 20))
    scorer = _Scorer(partition, region, ShapeWeights())
    unions = _candidates(partition, scorer)
    best = unions[int(scorer.box_iou(unions).argmax())]
    assert best.tolist() == [False, True, True, False]
    assert scorer.box_iou(best[None]).item() == 1
