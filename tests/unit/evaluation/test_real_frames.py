"""Figures of the released labels of one Cityscapes frame, and parity with the official code on ground truth."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.unit.evaluation.cityscapes_reference import (
    Case,
    class_map,
    prepare_instances,
    prepare_panoptic,
    prepare_pixels,
)
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.evaluation.label_quality import LabelQuality
from weakpan.evaluation.scorer import PanopticScorer
from weakpan.storage.images import read_map

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
RELEASED, REAL = DATA / "released_sample", DATA / "cityscapes_sample"
FRAME = "aachen_000000_000019"

pytestmark = pytest.mark.skipif(
    not (RELEASED.is_dir() and REAL.is_dir()), reason="the released frame is not there (set WEAKPAN_DATA)"
)


@pytest.mark.parametrize(
    ("path", "labelled", "accuracy", "miou"),
    [
        ("results/cam/train", 0.322, 0.916, 0.252),
        ("expected/pred_sem_cam_mandg_merged", 0.334, 0.914, 0.355),
        ("results/pred_sem_raw", None, 0.935, 0.640),
        ("expected/pred_sem_clean", 0.930, 0.958, None),
    ],
)
def test_released_labels_have_their_known_quality(path, labelled, accuracy, miou):
    semantic = read_map(RELEASED / path / f"{FRAME}_leftImg8bit.png").astype(np.uint8)
    quality = LabelQuality(CITYSCAPES)
    # The figures were taken on the train-id map of the frame, which is an older annotation than its label-id map.
    train_ids = read_map(REAL / f"gtFine/train/aachen/{FRAME}_gtFine_labelTrainIds.png").astype(np.uint8)
    no_instances = np.zeros(semantic.shape, np.int32)
    quality.add(FRAME, semantic, no_instances, PanopticTruth(train_ids, no_instances))
    result = quality.result()
    for key, expected in (("labelled", labelled), ("accuracy", accuracy), ("miou", miou)):
        assert expected is None or result[key] == pytest.approx(expected, abs=6e-4)


def test_parity_on_real_labels(tmp_path):
    split = ImageTree(REAL, "train", CITYSCAPES)
    cases = []
    for shift, image_id in enumerate(split.ids, 1):
        truth = GroundTruth.of(split).panoptic(image_id)
        classes = truth.semantic.astype(np.int32)
        true_ids = np.where(
            classes == 255, 0, np.where(truth.instances > 0, classes * 1000 + truth.instances, classes + 1)
        )
        # The truth, displaced by some pixels, is a prediction with borders as uneven as those of a model.
        ids = np.roll(true_ids, (shift, 2 * shift), (0, 1)).astype(np.int32)
        segments = [
            Segment(i, i // 1000 if i > 1000 else i - 1, 1 / (1 + rank % 7))
            for rank, i in enumerate(np.unique(ids[ids > 0]).tolist())
        ]
        prediction = PanopticMap(ids, tuple(segments))
        cases.append(Case(image_id, prediction, truth, class_map(prediction)))
    scorer = PanopticScorer(CITYSCAPES)
    for case in cases:
        scorer.add(case.image_id, case.prediction, case.truth)
    found = scorer.result().as_dict()
    assert found["pq"] == pytest.approx(prepare_panoptic(cases, tmp_path)()["All"]["pq"], abs=1e-6)
    assert found["miou"] == pytest.approx(prepare_pixels(cases, tmp_path)()["averageScoreClasses"], abs=1e-6)
    assert found["ap"] == pytest.approx(prepare_instances(cases, tmp_path)()["allAp"], abs=1e-6)
    assert 0.3 < found["ap"] < 0.9
