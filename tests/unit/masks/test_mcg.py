"""Segment proposals of MCG in the place of our own."""

import pickle

import numpy as np
import pytest
import scipy.io

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.formats.mat_candidates import SegmentCandidates
from weakpan.masks import GrabCutAndProposals
from weakpan.masks.fusion import FusionSettings
from weakpan.masks.mcg import BestCandidates, McgMasks, candidate_extents
from weakpan.masks.painting import mask_iou
from weakpan.masks.region import crop_region
from weakpan.masks.result import Fallback

CAR = 3


def candidates_of(superpixels, labels, scores=None):
    lengths = np.array([len(entry) for entry in labels])
    scores = np.zeros(len(labels)) if scores is None else np.array(scores, np.float64)
    members = np.concatenate([np.asarray(entry, np.int32) for entry in labels])
    return SegmentCandidates(np.asarray(superpixels, np.int32), members, np.cumsum(lengths) - lengths, scores)


def write(path, superpixels, labels, scores=None):
    cells = np.empty((len(labels), 1), object)
    for k, entry in enumerate(labels):
        cells[k, 0] = np.asarray(entry, np.uint16).reshape(-1, 1)
    scores = np.zeros(len(labels)) if scores is None else np.asarray(scores, np.float64)
    scipy.io.savemat(path, {"superpixels": superpixels, "labels": cells, "scores": scores[:, None]})


def cut_disc():
    """The disc in two halves, 1 and 2, on the ground, 3; the middle row of the image belongs to the ground."""
    image, truth, box = disc_in_grass()
    superpixels = np.where(truth, 1, 3).astype(np.uint16)
    superpixels[45:] += truth[45:]
    return image, truth, box, superpixels


def annotation_of(image, *boxes):
    return ImageAnnotation("street", *image.shape[:2], boxes, (frozenset(),))


def test_extents_are_those_of_the_drawn_candidates():
    rng = np.random.default_rng(0)
    superpixels = rng.integers(1, 12, (9, 14))
    there = np.unique(superpixels)
    labels = [rng.choice(there, rng.integers(1, 4), replace=False) for _ in range(30)]
    found = candidate_extents(candidates_of(superpixels, labels))
    for extent, entry in zip(found.tolist(), labels, strict=True):
        rows, cols = np.nonzero(np.isin(superpixels, entry))
        assert extent == [rows.min(), rows.max() + 1, cols.min(), cols.max() + 1]


def test_the_highest_iou_of_the_boxes_wins_then_the_score():
    # Columns 0-3, 4-5, 6-9, and a corner of the first as wide and high as it.
    superpixels = np.repeat([1, 1, 1, 1, 2, 2, 3, 3, 3, 3], 8).reshape(10, 8).T.copy()
    superpixels[1:7, 1:3] = 4
    labels = [[3], [1, 2], [1, 4], [1], [4]]
    best = BestCandidates(candidates_of(superpixels, labels, [9, 9, 0.2, 0.5, 9]), 0.5)
    left = Box(CAR, 0, 0, 3, 7)
    assert best.choose(left) == 3  # as [1, 4] fits, with the higher score
    assert best.choose(Box(CAR, 0, 0, 5, 7)) == 1
    equal = BestCandidates(candidates_of(superpixels, labels, [9, 9, 0.5, 0.5, 9]), 0.5)
    assert equal.choose(left) == 2
    # A box that [1, 2], six columns wide, fits by two thirds.
    middle = Box(CAR, 1, 0, 6, 7)
    for least, chosen in ((0.0, 1), (5 / 7, 1), (0.72, None)):
        assert BestCandidates(best.candidates, least).choose(middle) == chosen


def test_no_candidate_no_proposal():
    superpixels = np.array([[1, 1, 2, 2]])
    assert BestCandidates(candidates_of(superpixels, [[1]]), 0.0).choose(Box(CAR, 2, 0, 3, 0)) is None
    none = SegmentCandidates(np.ones((1, 4), np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0))
    assert BestCandidates(none, 0.0).choose(Box(CAR, 0, 0, 3, 0)) is None


def test_a_candidate_is_drawn_around_its_box():
    image, truth, box, superpixels = cut_disc()
    best = BestCandidates(candidates_of(superpixels, [[1], [2, 1], [3]]), 0.5)
    region = crop_region(image, box, 64, 0.35)
    proposal = best(box, region)
    assert (proposal.inside == truth[box.slices]).all()
    assert proposal.seen.shape == region.shape
    assert mask_iou(region.to_box(proposal.seen), truth[box.slices]) > 0.95
    # In a box that it misses by its pixels, though not by its bounding box, it says nothing.
    frame = np.ones((40, 40), int)
    frame[5:35, 5:35] = 2
    inner = Box(CAR, 6, 6, 33, 33)
    around = BestCandidates(candidates_of(frame, [[1]]), 0.0)
    assert around.choose(inner) == 0
    assert around(inner, crop_region(np.zeros((40, 40, 3), np.uint8), inner, 64, 0.35)) is None


def test_both_keep_what_grabcut_and_the_candidate_share(tmp_path):
    image, truth, box, superpixels = cut_disc()
    # The upper half of the disc alone; the box around it has an IoU of one half with the box.
    write(tmp_path / "street.mat", superpixels, [[1]])
    annotation = annotation_of(image, box)
    result = McgMasks(path=tmp_path, min_iou=0.4, fusion=None).masks(annotation, lambda: image, CITYSCAPES)
    labelled = result.semantic == CAR
    assert labelled.any()
    assert not (labelled & (superpixels != 1)).any()
    record = result.records[0]
    assert record.proposal_area == (superpixels == 1).sum()
    assert record.fallback is Fallback.NOT_NEEDED
    assert labelled.sum() == round(record.cover * box.area)
    assert labelled.sum() <= record.grabcut_area
    own = GrabCutAndProposals(fusion=None).masks(annotation, lambda: image, CITYSCAPES)
    assert own.records[0].proposal_area != record.proposal_area
    assert (own.semantic[truth & (superpixels == 2)] == CAR).mean() > 0.5


def test_the_candidate_counts_in_a_fusion(tmp_path):
    image, _, box, superpixels = cut_disc()
    write(tmp_path / "street.mat", superpixels, [[1]])
    lower = superpixels == 2
    fused, silent = (
        McgMasks(path=tmp_path, min_iou=least, fusion=FusionSettings(proposal=8.0)).masks(
            annotation_of(image, box), lambda: image, CITYSCAPES
        )
        for least in (0.4, 0.9)
    )
    assert (fused.semantic[lower] == CAR).mean() < 0.2
    assert (silent.semantic[lower] == CAR).mean() > 0.8
    # Without a candidate the rest counts as if proposals weighed nothing.
    nothing = GrabCutAndProposals(fusion=FusionSettings(proposal=0.0)).masks(
        annotation_of(image, box), lambda: image, CITYSCAPES
    )
    assert (silent.semantic == nothing.semantic).all()
    assert (silent.records[0].proposal_area, silent.records[0].agreement) == (0, 0.0)


def test_both_without_a_candidate_have_no_consensus(tmp_path):
    image, _, box, superpixels = cut_disc()
    write(tmp_path / "street.mat", superpixels, [[1]])
    other = Box(2, 0, 0, 9, 9, BoxKind.STUFF)
    source = McgMasks(path=tmp_path, min_iou=0.9, fusion=None)
    result = source.masks(annotation_of(image, other, box), lambda: image, CITYSCAPES)
    assert [(r.index, r.fallback) for r in result.records] == [(1, Fallback.NO_CONSENSUS)]


def test_what_is_wrong_with_a_file_is_named(tmp_path):
    image, _, box, superpixels = cut_disc()
    annotation = annotation_of(image, box)
    for name, content, words in (
        ("small", superpixels[1:], "superpixels is 89 x 120, its image has 90 x 120"),
        ("damaged", None, "not a MATLAB file"),
    ):
        path = tmp_path / name / "street.mat"
        path.parent.mkdir()
        if content is None:
            path.write_bytes(b"MATLAB")
        else:
            write(path, content, [[1]])
        with pytest.raises(DataError, match=rf"{name}/street\.mat: {words}"):
            McgMasks(path=path.parent).masks(annotation, lambda: image, CITYSCAPES)
    with pytest.raises(DataError, match=r"street_a\.mat: no such file; add the MCG candidates of image street"):
        McgMasks(path=tmp_path, template="{id}_a.mat").masks(annotation, lambda: image, CITYSCAPES)
    write(tmp_path / "street.mat", superpixels, [[1]])
    with pytest.raises(DataError, match="80 x 120 pixels"):
        McgMasks(path=tmp_path).masks(annotation, lambda: image[:80], CITYSCAPES)


def test_it_travels_small_and_its_settings_are_checked(tmp_path):
    source = McgMasks(path=tmp_path)
    sent = pickle.dumps(source)
    assert pickle.loads(sent) == source
    assert len(sent) < 4000
    for key, value in (("template", "same.mat"), ("min_iou", 2)):
        with pytest.raises(ConfigError) as caught:
            McgMasks(path=tmp_path, **{key: value})
        assert (caught.value.key, caught.value.found) == (key, value)
