"""Targets of the instance head: offsets point to box centres, and decoding targets gives the instances back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.loaders.targets import LabelledImage, instance_targets, label_pseudo, label_truth
from weakpan.data.loaders.transforms import View, random_view, whole_view
from weakpan.labels.instances import label_instances
from weakpan.models.decode import PanopticDecoder, decode_panoptic

SKY, PERSON, CAR = (CITYSCAPES.train_id_named(n) for n in ("sky", "person", "car"))
HEIGHT, WIDTH = 60, 90
IS_THING = torch.from_numpy(CITYSCAPES.is_thing[: CITYSCAPES.num_classes].copy())


def random_street(seed):
    """Objects of random even and odd sizes on a lattice, numbers repeating between the classes."""
    rng = np.random.default_rng(seed)
    semantic = np.full((HEIGHT, WIDTH), SKY, np.uint8)
    instances = np.zeros((HEIGHT, WIDTH), np.int32)
    numbers = {PERSON: 0, CAR: 0}
    for top in (2, 32):
        for left in (3, 33, 63):
            class_id = int(rng.choice([PERSON, CAR]))
            numbers[class_id] += 1
            height, width = rng.integers(6, 25, 2)
            y, x = top + int(rng.integers(0, 3)), left + int(rng.integers(0, 3))
            semantic[y : y + height, x : x + width] = class_id
            instances[y : y + height, x : x + width] = numbers[class_id]
    semantic[-1] = 255
    instances[-1] = 0
    return PanopticTruth(semantic, instances)


def segments_of(semantic, instances):
    """Things and stuff as a set of pixel sets."""
    codes = np.where(semantic == 255, -1, semantic.astype(np.int64) * 10_000 + np.maximum(instances, 0))
    return {(int(c) // 10_000, frozenset(np.flatnonzero(codes == c).tolist())) for c in np.unique(codes) if c >= 0}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_perfect_output_gives_the_panoptic_map_back(seed):
    truth = random_street(seed)
    label = label_truth(truth, CITYSCAPES)
    targets = instance_targets(label, whole_view(HEIGHT, WIDTH, 1.0), sigma=4.0)
    probabilities = torch.full((CITYSCAPES.num_classes, HEIGHT, WIDTH), 0.001)
    valid = truth.semantic != 255
    certain = torch.from_numpy(np.where(valid, truth.semantic, SKY).astype(np.int64))
    probabilities.scatter_(0, certain[None], 0.9)
    found = decode_panoptic(
        probabilities, torch.from_numpy(targets.centre), torch.from_numpy(targets.offset), IS_THING, PanopticDecoder()
    )
    classes = {s.segment_id: s.class_id for s in found.segments}
    got = {(classes[int(k)], frozenset(np.flatnonzero((found.ids == k) & valid).tolist())) for k in classes}
    assert got == segments_of(truth.semantic, truth.instances)
    assert all(0.8 < s.score <= 1 for s in found.segments)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_offsets_point_to_the_box_centre_of_the_view(seed):
    truth = random_street(seed)
    label = label_truth(truth, CITYSCAPES)
    view = random_view(np.random.default_rng(seed), HEIGHT, WIDTH, (50, 70), (0.6, 1.8), flip=True)
    targets = instance_targets(label, view, sigma=3.0)
    ids = view.label(label.instances, 0)
    np.testing.assert_array_equal(targets.offset_known, ids > 0)
    for y, x in zip(*np.nonzero(ids > 0), strict=True):
        box = label.instance_boxes[int(ids[y, x])]
        expected = view.point((box.ymin + box.ymax) / 2, (box.xmin + box.xmax) / 2)
        np.testing.assert_allclose(targets.offset[:, y, x] + (y, x), expected, atol=1e-3)
    assert not targets.offset[:, ids <= 0].any()
    assert targets.offset.dtype == targets.centre.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_heatmap_is_the_largest_gaussian_at_each_pixel(seed):
    label = label_truth(random_street(seed), CITYSCAPES)
    view = random_view(np.random.default_rng(seed), HEIGHT, WIDTH, (50, 70), (0.6, 1.8), flip=True)
    targets = instance_targets(label, view, sigma=3.0)
    rows, columns = np.mgrid[:50, :70]
    expected = np.zeros((50, 70))
    for box in label.instance_boxes.values():
        y, x = view.point((box.ymin + box.ymax) / 2, (box.xmin + box.xmax) / 2)
        expected = np.maximum(expected, np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 3.0**2)))
    # Gaussians are cut off at three standard deviations, where they are exp(-4.5).
    np.testing.assert_allclose(targets.centre, expected, atol=0.012)
    np.testing.assert_array_equal(targets.centre_known, np.outer(view.rows >= 0, view.columns >= 0))


def test_nothing_is_known_about_centres_in_groups_and_padding():
    group = Box(PERSON, 2, 1, 5, 3, BoxKind.GROUP)
    label = LabelledImage(np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.int32), {}, (group,))
    view = View(0, 0, 6, 8, 6, 8, 9, 10, flip=True)
    targets = instance_targets(label, view, sigma=2.0)
    expected = np.zeros((9, 10), bool)
    expected[:6, 2:] = True  # mirrored: the padding is on the left
    expected[1:4, 10 - 1 - 5 : 10 - 2] = False
    np.testing.assert_array_equal(targets.centre_known, expected)
    assert not targets.offset_known.any()
    assert not targets.centre.any()


def test_a_box_without_pixels_still_has_a_centre():
    label = LabelledImage(np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.int32), {3: Box(CAR, 2, 2, 6, 6)}, ())
    targets = instance_targets(label, whole_view(9, 9, 1.0), sigma=1.0)
    assert np.unravel_index(targets.centre.argmax(), (9, 9)) == (4, 4)
    assert targets.centre[4, 4] == 1
    assert not targets.offset_known.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_real_labels_keep_their_instances(seed):
    truth = random_street(seed)
    label = label_truth(truth, CITYSCAPES)
    np.testing.assert_array_equal(label.semantic, truth.semantic)
    assert segments_of(label.semantic, label.instances) == segments_of(truth.semantic, truth.instances)
    for k, box in label.instance_boxes.items():
        rows, columns = np.nonzero(label.instances == k)
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == (columns.min(), rows.min(), columns.max(), rows.max())
        assert (label.semantic[rows, columns] == box.class_id).all()


@pytest.mark.parametrize("everywhere", [True, False])
def test_real_labels_with_and_without_background(everywhere):
    semantic = np.full((4, 6), CAR, np.uint8)
    instances = np.ones((4, 6), np.int32)
    instances[:, 3:] = 5
    if not everywhere:
        semantic[0], instances[0] = 255, 9  # an instance of a class outside the table
    label = label_truth(PanopticTruth(semantic, instances), CITYSCAPES)
    assert sorted(label.instance_boxes) == [1, 2]
    assert label.instances[3].tolist() == [1, 1, 1, 2, 2, 2]
    assert label.instances[0].tolist() == ([1, 1, 1, 2, 2, 2] if everywhere else [0] * 6)


def test_pseudo_labels_follow_the_ids_of_their_boxes():
    truth = random_street(7)
    boxes = boxes_from_maps(truth.semantic, truth.instances, CITYSCAPES)
    label = label_pseudo(truth.semantic, label_instances(truth.semantic, boxes), boxes)
    assert {b.kind for b in label.instance_boxes.values()} == {BoxKind.INSTANCE}
    for k, box in label.instance_boxes.items():
        rows, columns = np.nonzero(label.instances == k)
        assert rows.size
        assert (truth.semantic[rows, columns] == box.class_id).all()
        assert box.ymin <= rows.min() <= rows.max() <= box.ymax
        assert box.xmin <= columns.min() <= columns.max() <= box.xmax


def test_unlabelled_and_stuff_ids_have_no_offset():
    boxes = (Box(SKY, 0, 0, 3, 0, BoxKind.STUFF), Box(CAR, 1, 0, 2, 0))
    instances = np.array([[1, 2, -1, 7]], np.int32)
    label = label_pseudo(np.array([[SKY, CAR, CAR, CAR]], np.uint8), instances, boxes)
    targets = instance_targets(label, whole_view(1, 4, 1.0), sigma=1.0)
    assert targets.offset_known[0].tolist() == [False, True, False, False]
    assert targets.offset[:, 0, 1].tolist() == [0.0, 0.5]
