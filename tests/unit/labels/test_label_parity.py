"""What the authors' own code made of a released frame, bit for bit."""

import os
from pathlib import Path

import numpy as np
import pytest

from weakpan.basics.arrays import NO_THING
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.boxes import boxes_from_maps
from weakpan.data.crops import CropGrid
from weakpan.labels.encode import to_released_8bit
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, make_labels
from weakpan.storage.images import read_map

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
FRAME = "aachen_000000_000019"
RELEASED = DATA / "released_sample"
REAL = DATA / "cityscapes_sample/gtFine/train/aachen"
GRID = CropGrid(400, 500)

pytestmark = pytest.mark.skipif(
    not (RELEASED.is_dir() and REAL.is_dir()), reason="the released frame is not there (set WEAKPAN_DATA)"
)


def released(folder):
    return read_map(RELEASED / folder / f"{FRAME}_leftImg8bit.png")


@pytest.fixture(scope="module")
def annotation():
    ids = read_map(REAL / f"{FRAME}_gtFine_instanceTrainIds.png").astype(np.int32)
    single = ids > 1000
    semantic = np.where(single, ids // 1000, ids).astype(np.uint8)
    instances = np.where(single, ids % 1000 + 1, 0).astype(np.int32)
    boxes = boxes_from_maps(semantic, instances, CITYSCAPES)
    return ImageAnnotation(FRAME, *semantic.shape, boxes, GRID.tags(semantic))


@pytest.fixture(scope="module")
def masks():
    values = released("results/mcg_and_grabcut/train")
    return np.where(values == 0, NO_THING, values).astype(np.uint8)  # released maps write 0 for "no thing here"


def assert_made(labels, name):
    np.testing.assert_array_equal(labels.semantic, released(f"expected/pred_sem_{name}"))
    np.testing.assert_array_equal(to_released_8bit(labels.instances), released(f"expected/pred_ins_{name}"))


def test_round_0(annotation, masks):
    inp = LabelInput(released("results/cam/train"), None, masks, annotation)
    assert_made(make_labels(inp, LabelRules(), CITYSCAPES, GRID, 0), "cam_mandg_merged")


def test_later_round(annotation, masks):
    scipy_io = pytest.importorskip("scipy.io")
    score = scipy_io.loadmat(RELEASED / f"results/pred_flat_feat/{FRAME}_leftImg8bit.mat")["feat"]
    inp = LabelInput(released("results/pred_sem_raw"), score, masks, annotation)
    assert_made(make_labels(inp, LabelRules(), CITYSCAPES, GRID, 1), "clean")
