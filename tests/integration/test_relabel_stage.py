"""Relabelling goes on where it was, and never mixes the labels of two segmenters."""

import shutil

import pytest
import torch

from tests.integration.loop_in_process import assert_same_maps, run_tiny
from weakpan.training.segmenter_module import SegmenterModule


@pytest.fixture
def whole(finished_run):
    """A finished run of two rounds."""
    return finished_run[0]


@pytest.fixture
def interrupted(tmp_path, whole):
    """The same before the labels of round 1 were sealed."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    for path in (run / "metrics.json", run / "round_00/manifest.json", run / "round_01/labels/manifest.json"):
        path.unlink()
    for path in (run / "round_01").iterdir():
        if path.name != "labels":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return run


@pytest.fixture
def seen(monkeypatch):
    """Ids of the training images that are relabelled."""
    ids, step = [], SegmenterModule.predict_step

    def noted(self, batch, batch_idx):
        ids.extend([batch["image_id"]] if batch["semantic_only"] else [])
        return step(self, batch, batch_idx)

    monkeypatch.setattr(SegmenterModule, "predict_step", noted)
    return ids


def test_only_labels_that_are_missing_or_damaged_are_made_again(interrupted, whole, city, seen):
    maps = sorted((interrupted / "round_01/labels").glob("*_semantic.png"))
    assert len(maps) == 4
    maps[1].unlink()
    other = maps[3].with_name(maps[3].name.replace("semantic", "instances"))
    other.write_bytes(other.read_bytes()[:60])
    before = maps[0].stat().st_mtime_ns
    run_tiny(interrupted, city)
    assert seen == [path.name.removesuffix("_semantic.png") for path in (maps[1], maps[3])]
    assert maps[0].stat().st_mtime_ns == before
    assert_same_maps(whole, interrupted)


def test_labels_of_other_weights_are_made_again(interrupted, city, seen):
    path = interrupted / "round_00/last.ckpt"
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {k: v * 1.01 if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    torch.save(content, path)
    run_tiny(interrupted, city)
    assert len(seen) == 4
