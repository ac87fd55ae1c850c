"""Masks in boxes from a small model of the SAM family, in make_gt.py and in the loop of train.py."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from loop_in_process import tiny_experiment, toy_city
from make_gt_in_process import results, run

from tests.unit.cues.tiny_sam import save_sam
from weakpan.cues.sam_voice import read_sam
from weakpan.data.toy.city import ToyCitySpec, ensure_toy_city
from weakpan.errors import ConfigError, RunError
from weakpan.images import read_map, read_rgb
from weakpan.rounds import claim_run_folder
from weakpan.stages.masks import run_masks


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What make_gt.py is told. More images than one process would do alone."""
    root = tmp_path_factory.mktemp("city") / "data"
    ensure_toy_city(root, ToyCitySpec(height=64, width=96, train=10, val=1), processes=1)
    return ("stage=masks", "masks=sam", "data=toy_city", f"data.root={root}")


@pytest.fixture
def model(tmp_path):
    return save_sam(tmp_path / "model")


def test_masks_are_the_same_for_any_number_of_workers_and_are_scored(tmp_path, told, model):
    asked = (*told, f"masks.path={model}", "masks.dials.min_cover=0.45")
    assert run(*asked, f"out={tmp_path / 'one'}", "audit=true", "pictures=1") == []
    assert run(*asked, f"out={tmp_path / 'two'}", "workers=2") == []
    made = {name: text for name, text in results(tmp_path / "one").items() if not name.startswith("audit")}
    assert len(made) == 20
    assert made == results(tmp_path / "two")
    fallbacks = json.loads((tmp_path / "one/audit/masks.json").read_text())["by_fallback"]
    assert set(fallbacks) == {"not needed", "small mask"}


def test_other_weights_under_the_same_path_are_refused(tmp_path, told, model):
    asked = (*told, f"masks.path={model}", f"out={tmp_path / 'out'}")
    run(*asked)
    before = results(tmp_path / "out")
    run(*asked)
    save_sam(model, seed=5)
    with pytest.raises(RunError, match=r"masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"):
        run(*asked)
    assert results(tmp_path / "out") == before
    shutil.rmtree(model)
    with pytest.raises(ConfigError, match=r"masks\.path=.*model: no such folder; masks\.kind=sam reads one"):
        run(*asked)


def test_the_loop_takes_them_and_notices_other_weights(tmp_path, model):
    data, folder = toy_city(tmp_path / "data"), tmp_path / "run"
    asked = (folder, data, "cues.masks.kind=sam", f"cues.masks.path={model}", "cues.masks.dials.min_cover=0")
    experiment = tiny_experiment(*asked)
    assert any("foundation model that others trained" in what for what in experiment.supervision_used)
    claim_run_folder(experiment)
    summary = run_masks(experiment)
    assert summary["boxes"] > 0
    assert summary["fallback"]["small mask"] < summary["boxes"]
    voice = read_sam(model)
    for image_id in experiment.weak_ids:
        boxes = experiment.weak.images[image_id].boxes
        painted = read_map(folder / f"masks/{image_id}.png")
        said = voice.probabilities(read_rgb(experiment.train.image_path(image_id)), boxes)
        for index, values in said.items():
            if (values >= 0.5).any():
                inside = painted[boxes[index].slices]
                assert (np.isin(inside[values >= 0.5], [255, *{box.class_id for box in boxes}])).all()
    save_sam(model, seed=5)
    with pytest.raises(RunError, match=r"cues\.masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"):
        claim_run_folder(tiny_experiment(*asked))
    # Sealed masks do not need it any more, and what it was is on record; unfinished ones do.
    shutil.rmtree(model)
    claim_run_folder(tiny_experiment(*asked))
    experiment.masks.manifest_path.unlink()
    with pytest.raises(ConfigError, match=r"masks\.path=.*model: no such folder"):
        tiny_experiment(*asked)
