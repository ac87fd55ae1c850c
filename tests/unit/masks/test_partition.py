"""Segments, borders and the order of merging."""

from collections import Counter

import numpy as np
import pytest

from weakpan.masks.contours import contour_strength
from weakpan.masks.partition import Partition, merge_tree, watershed_partition

NO_BORDERS, NO_VALUES = np.zeros((0, 2), np.int64), np.zeros(0, np.float32)


def test_contours_are_strong_on_edges_and_absent_on_flat_ground():
    image = np.full((40, 60, 3), 60, np.uint8)
    assert contour_strength(image).max() == 0
    image[:, 30:] = (220, 40, 40)
    strength = contour_strength(image)
    assert strength[:, 29:31].min() > 0.7
    assert strength[:, :8].max() < 0.1
    assert strength.max() <= 1


def test_segments_do_not_cross_an_edge():
    image = np.full((40, 60, 3), 60, np.uint8)
    image[:, 30:] = (220, 40, 40)
    partition = watershed_partition(contour_strength(image))
    left, right = set(partition.labels[:, :28].ravel()), set(partition.labels[:, 32:].ravel())
    assert not left & right


def test_borders_are_counted_as_in_a_plain_loop():
    contours = np.random.default_rng(2).random((23, 19)).astype(np.float32)
    partition = watershed_partition(contours)
    labels = partition.labels
    assert sorted(set(labels.ravel())) == list(range(partition.count))
    assert partition.count > 4
    length, strength = Counter(), Counter()
    for y in range(23):
        for x in range(19):
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < 23 and u < 19 and labels[y, x] != labels[v, u]:
                    pair = tuple(sorted((int(labels[y, x]), int(labels[v, u]))))
                    length[pair] += 1
                    strength[pair] += max(contours[y, x], contours[v, u])
    pairs = [tuple(pair) for pair in partition.borders.tolist()]
    assert pairs == sorted(length)
    assert partition.length.tolist() == [length[pair] for pair in pairs]
    assert np.allclose(partition.strength, [strength[pair] for pair in pairs], rtol=1e-5)


def test_totals_sum_over_segments():
    labels = np.array([[0, 0, 1], [2, 1, 1]], np.int32)
    partition = Partition(labels, NO_BORDERS, NO_VALUES, NO_VALUES)
    assert partition.totals(np.array([[1, 2, 3], [4, 5, 6]], np.float32)).tolist() == [3, 14, 4]


def test_weakest_border_melts_first():
    # A chain a-b-c-d: b-c is weakest; then bc-d (2 over 4 steps) is weaker than a-bc (3 over 4).
    borders = np.array([[0, 1], [1, 2], [2, 3]])
    length, strength = np.array([4, 10, 4], np.float32), np.array([3, 1, 2], np.float32)
    tree = merge_tree(Partition(np.arange(4, dtype=np.int32)[None], borders, length, strength))
    assert tree[:4].tolist() == np.eye(4, dtype=bool).tolist()
    assert [np.flatnonzero(row).tolist() for row in tree[4:]] == [[1, 2], [1, 2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("size", [1, 2])
def test_separate_or_single_segments_have_no_unions(size):
    labels = np.arange(size, dtype=np.int32)[None]
    assert len(merge_tree(Partition(labels, NO_BORDERS, NO_VALUES, NO_VALUES))) == size


def test_noise_does_not_fall_into_more_segments_than_can_be_merged():
    contours = np.random.default_rng(0).random((128, 128)).astype(np.float32)
    assert 20 < watershed_partition(contours).count <= 256


def test_means_are_pooled_over_parallel_borders():
    # 0 and 1 melt first; both touch 2 (means 0.9 and 0.1, pooled 0.5), which is weaker than 2-3 (0.6).
    borders = np.array([[0, 1], [0, 2], [1, 2], [2, 3]])
    length, strength = np.array([5, 5, 5, 5], np.float32), np.array([0.1, 4.5, 0.5, 3.0], np.float32)
    tree = merge_tree(Partition(np.arange(4, dtype=np.int32)[None], borders, length, strength))
    assert [np.flatnonzero(row).tolist() for row in tree[4:]] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]
