"""Masks in boxes from a small model of the SAM family, in make_gt.py and in the loop of train.py."""

from __future__ import annotations

import json
import shutil
from functools import partial

import numpy as np
import pytest

from tests.integration.loop_in_process import tiny_experiment, toy_city
from tests.integration.make_gt_in_process import results, run
from tests.unit.masks.tiny_sam import save_sam
from weakpan.basics.arrays import NO_THING
from weakpan.basics.errors import ConfigError, RunError
from weakpan.data.formats.released import ReleasedTree
from weakpan.masks.sam import SamMasks
from weakpan.stages.annotations import run_annotations
from weakpan.stages.masks import masks_summary, run_masks
from weakpan.stages.settings import MASKS, record_of, refuse_other_inputs
from weakpan.stages.weights import supervision_used
from weakpan.storage.images import read_map, read_rgb
from weakpan.toy_city.city import ToyCitySpec, ensure_toy_city


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What make_gt.py is told. More images than one process would do alone."""
    root = tmp_path_factory.mktemp("city") / "data"
    ensure_toy_city(root, ToyCitySpec(height=64, width=96, train=10, val=1), processes=1)
    return ("layout=released", "stage=masks", "masks=sam", "data=toy_city", f"data.root={root}", "data.toy=null")


@pytest.fixture
def model(tmp_path):
    return save_sam(tmp_path / "model")


@pytest.mark.usefixtures("quick_workers")
def test_masks_are_the_same_for_any_number_of_workers_and_are_scored(tmp_path, told, model):
    asked = (*told, f"masks.path={model}", "masks.fallback.min_cover=0.45")
    assert run(*asked, f"run={tmp_path / 'one'}", "audit=true", "pictures=1") == []
    assert run(*asked, f"run={tmp_path / 'two'}", "workers=2") == []
    made = {name: text for name, text in results(tmp_path / "one").items() if not name.startswith("audit")}
    assert len(made) == 20
    assert made == results(tmp_path / "two")
    fallbacks = json.loads((tmp_path / "one/audit/masks.json").read_text())["by_fallback"]
    assert set(fallbacks) == {"not needed", "small mask"}


def test_other_weights_under_the_same_path_are_refused(tmp_path, told, model):
    asked = (*told, f"masks.path={model}", f"run={tmp_path / 'out'}")
    run(*asked)
    before = results(tmp_path / "out")
    run(*asked)
    save_sam(model, seed=5)
    with pytest.raises(RunError, match=r"masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"):
        run(*asked)
    assert results(tmp_path / "out") == before
    shutil.rmtree(model)
    with pytest.raises(ConfigError, match=r"masks\.path=.*model: no such folder"):
        run(*asked)


@pytest.mark.parametrize(
    ("images", "part"),
    [
        (1, r"masks\.path: changed while masks were made with it \(crc32 \w+ when the stage began, crc32 \w+ now\)"),
        (10, r"files changed while masks were made with them \(masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"),
    ],
)
def test_weights_that_change_during_the_stage_end_it(tmp_path, told, model, monkeypatch, images, part):
    written = []

    def write(self, kind, image_id, values, real=ReleasedTree.write):
        real(self, kind, image_id, values)
        written.append(image_id)
        if len(written) == images:
            save_sam(model, seed=5)

    monkeypatch.setattr(ReleasedTree, "write", write)
    with pytest.raises(RunError, match=part):
        run(*told, f"masks.path={model}", f"run={tmp_path / 'out'}")
    assert len(written) == images
    assert not (tmp_path / "out/masks.json").exists()


def test_the_loop_seals_no_masks_of_other_weights_than_it_began_with(tmp_path, model):
    asked = (toy_city(tmp_path / "data"), "masks=sam", f"masks.path={model}")
    experiment = tiny_experiment(tmp_path / "run", *asked)
    run_annotations(experiment, experiment.train.ids)
    save_sam(model, seed=5)
    with pytest.raises(
        RunError, match=r"masks\.path: changed while masks were made with it \(crc32 \w+ when the stage"
    ):
        run_masks(experiment, experiment.weak_ids)
    assert not record_of(experiment, MASKS).is_sealed()


def test_the_loop_takes_them_and_notices_other_weights(tmp_path, model):
    data, folder = toy_city(tmp_path / "data"), tmp_path / "run"
    asked = (folder, data, "masks=sam", f"masks.path={model}", "masks.fallback.min_cover=0")
    experiment = tiny_experiment(*asked)
    run_annotations(experiment, experiment.train.ids)
    assert any("foundation model that others trained" in what for what in supervision_used(experiment))
    run_masks(experiment, experiment.weak_ids)
    summary = masks_summary(experiment)
    assert summary["boxes"] > 0
    assert summary["fallback"]["small mask"] < summary["boxes"]
    source = experiment.config.mask_source
    assert isinstance(source, SamMasks)
    painted = 0
    for image_id in experiment.weak_ids:
        image = partial(read_rgb, experiment.train.image_path(image_id))
        expected = source.masks(experiment.weak.images[image_id], image, experiment.catalog).semantic
        np.testing.assert_array_equal(read_map(folder / f"masks/{image_id}.png"), expected)
        painted += np.count_nonzero(expected < NO_THING)
    assert painted > 0
    save_sam(model, seed=5)
    with pytest.raises(RunError, match=r"masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"):
        refuse_other_inputs(tiny_experiment(*asked))
    # Sealed masks do not need it any more, and what it was is on record; unfinished ones do.
    shutil.rmtree(model)
    without = tiny_experiment(*asked)
    refuse_other_inputs(without)
    record = record_of(without, MASKS)
    assert record.settings == record_of(experiment, MASKS).settings
    run_masks(without, without.weak_ids)
    record.manifest_path.unlink()
    with pytest.raises(ConfigError, match=r"masks\.path=.*model: no such folder"):
        tiny_experiment(*asked)
