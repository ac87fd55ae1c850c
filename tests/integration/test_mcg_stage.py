"""make_gt.py stage=masks with segment proposals of MCG, from files that SciPy wrote."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest
import scipy.io

from tests.integration.make_gt_in_process import results, run, settings
from tests.unit.data.tiny_tree import CAR, ROAD, SKY, write_frame
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError
from weakpan.storage.images import read_map

CAR_ID = CITYSCAPES.train_id_named("car")
SHAPE = (60, 90)


def disc():
    mask = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(mask, (44, 29), (24, 14), 0, 0, 360, 1, -1)
    return mask.astype(bool)


def write_candidates(path, labels=((2,), (1,), (1, 2), (1, 3))):
    """The ground is superpixel 1, the disc 2, its lower half 3."""
    superpixels = np.where(disc(), 2.0, 1.0)
    superpixels[30:][disc()[30:]] = 3
    cells = np.empty((1, len(labels)), object)
    for k, entry in enumerate(labels):
        cells[0, k] = np.array(entry, np.uint16)[:, None]
    path.parent.mkdir(exist_ok=True)
    scipy.io.savemat(path, {"superpixels": superpixels, "labels": cells, "scores": np.ones((len(labels), 1))})


@pytest.fixture
def told(tmp_path):
    """Two streets, one car in each, and where their candidates are."""
    raw = np.where(disc(), CAR * 1000, ROAD)
    raw[:5] = SKY
    noise = np.random.default_rng(0).integers(-20, 21, (*SHAPE, 3))
    image = np.clip(np.where(disc()[..., None], (170, 60, 60), (70, 130, 70)) + noise, 0, 255).astype(np.uint8)
    for name in ("town_a", "town_b"):
        write_frame(tmp_path / "data", name, raw, image=image)
        write_candidates(tmp_path / "mcg" / f"{name}.mat", ((2, 3), (1,)))
    return (
        "stage=masks", "layout=released", "data=cityscapes", f"data.root={tmp_path / 'data'}", "masks=mcg",
        f"masks.path={tmp_path / 'mcg'}", "masks.fusion=null", f"run={tmp_path / 'out'}",
    )  # fmt: skip


def test_maps_hold_what_grabcut_and_the_candidates_share(tmp_path, told):
    write_candidates(tmp_path / "mcg/town_b.mat", ((2,), (1,)))
    assert run(*told, "masks.min_iou=0.3") == []
    maps = {
        name: read_map(tmp_path / f"out/mcg_and_grabcut/train/{name}_leftImg8bit.png") for name in ("town_a", "town_b")
    }
    lower = np.zeros(SHAPE, bool)
    lower[30:] = True
    assert set(np.unique(maps["town_a"])) == {0, CAR_ID, 255}
    for name, wanted in (("town_a", disc()), ("town_b", disc() & ~lower)):
        found = maps[name] == CAR_ID
        assert not (found & ~wanted).any()
        assert found.sum() > 0.8 * wanted.sum()
        (record,) = json.loads((tmp_path / f"out/mcg_and_grabcut_records/train/{name}.json").read_text())["boxes"]
        assert (record["proposal_area"], record["fallback"]) == (wanted.sum(), "not needed")
    before = results(tmp_path / "out")
    assert run(*told, "masks.min_iou=0.3") == []
    assert results(tmp_path / "out") == before


def test_what_cannot_be_used_is_named_and_can_be_skipped(tmp_path, told):
    path = tmp_path / "mcg/town_b.mat"
    write_candidates(path, ((2,), (1, 7)))
    with pytest.raises(DataError, match=r"town_b\.mat: labels\{2\} names superpixel 7, which does not exist"):
        run(*told)
    path.unlink()
    ((image_id, message),) = run(*told, "on_error=skip")
    assert image_id == "town_b"
    assert message.startswith(f"{path}: no such file; add the MCG candidates of image town_b")
    write_candidates(path)
    assert run(*told, "masks.template={id}.mat", f"run={tmp_path / 'suffix'}") == []


def test_the_configuration_says_what_stands_behind_the_masks(tmp_path, told):
    source = settings(*told).mask_source
    assert "edges are learned from boundary labels: boundary supervision" in source.supervision
    assert " mcg, " in source.supervision
    assert (source.path, source.template, source.fusion) == (tmp_path / "mcg", "{id}", None)
    with pytest.raises(ConfigError, match="no such folder") as caught:
        run(*told, f"masks.path={tmp_path / 'gone'}")
    assert caught.value.key == "masks.path"


def test_contours_of_the_user_are_asked(tmp_path, told, monkeypatch):
    (tmp_path / "wide_contours.py").write_text(
        "import numpy as np\n"
        "from weakpan.masks import Contours\n"
        "class Flat(Contours):\n"
        "    def __call__(self, pixels):\n"
        "        return np.zeros(pixels.shape[:2], np.float32)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = [text for text in told if not text.startswith("masks")]
    assert run(*own, "masks.contours._target_=wide_contours.Flat") == []
    sys.modules.pop("wide_contours")
    (record,) = json.loads((tmp_path / "out/mcg_and_grabcut_records/train/town_a.json").read_text())["boxes"]
    rows, cols = np.nonzero(disc())
    # Without a contour the whole surroundings are one segment.
    assert record["proposal_area"] == (np.ptp(rows) + 1) * (np.ptp(cols) + 1)
    with pytest.raises(ConfigError, match=r"masks\.contours\._target_=wide_contours\.Steep: cannot be imported"):
        run(*own, "masks.contours._target_=wide_contours.Steep", f"run={tmp_path / 'other'}")
