"""A run that begins with labels that were made elsewhere."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tests.integration.loop_in_process import maps_of, run_tiny, tiny_config, tiny_experiment
from tests.integration.make_gt_in_process import run
from weakpan.basics.errors import DataError, RunError
from weakpan.labels.store import LabelStore
from weakpan.stages.annotations import run_annotations
from weakpan.stages.checks import check_networks
from weakpan.stages.experiment import prepare
from weakpan.stages.labels import run_labels
from weakpan.stages.settings import refuse_other_inputs

IDS = [f"toyville_{k:06d}_000019" for k in range(4)]


def test_a_run_begins_with_labels_of_another_and_relabels(finished_run, city, tmp_path):
    given, folder = finished_run[0] / "round_01/labels", tmp_path / "run"
    metrics = run_tiny(folder, city, f"labels_from={given}")
    assert len(metrics["rounds"]) == 2
    before, found = maps_of(finished_run[0]), maps_of(folder)
    for name, values in found.items():
        if name.startswith("round_00"):
            np.testing.assert_array_equal(values, before[name.replace("round_00", "round_01")], err_msg=name)
    # No classifier and no seeds are needed; masks are, for the labels of round 1.
    assert {name.partition("/")[0] for name in found} == {"masks", "round_00", "round_01"}
    assert not (folder / "classifier").exists()
    assert any("with whatever stands behind them" in line for line in metrics["supervision_used"])
    with pytest.raises(RunError, match="labels_from"):
        refuse_other_inputs(tiny_experiment(folder, city, f"labels_from={finished_run[0] / 'round_00/labels'}"))
    # What given labels make superfluous does not bind the run; what makes those of round 1 does.
    refuse_other_inputs(
        tiny_experiment(folder, city, f"labels_from={given}", "classifier.epochs=7", "seeds.flip=false")
    )
    other = tiny_experiment(folder, city, f"labels_from={given}", "labels.rules.low_iou_fill.threshold=0.7")
    with pytest.raises(RunError, match=r"round_01/labels was .*labels\.rules\.low_iou_fill\.threshold"):
        refuse_other_inputs(other)


@pytest.mark.parametrize("form", ["released", "coco"])
def test_labels_of_make_gt_begin_a_run(finished_run, city, tmp_path, form):
    """Labels of the released layout, and as COCO panoptic."""
    crops = ("data.crop.height=40", "data.crop.width=60")
    given = ("layout=released", "data=toy_city", f"data.root={city}", "data.toy=null", *crops, f"run={tmp_path / 'gt'}")
    assert run(*given, "stage=labels", f"labels_from={finished_run[0] / 'round_00/labels'}", "coco=true") == []
    place = tmp_path / "gt" if form == "released" else tmp_path / "gt/panoptic.json"
    experiment = tiny_experiment(tmp_path / "run", city, f"labels_from={place}")
    run_annotations(experiment, experiment.train.ids)
    run_labels(experiment, experiment.weak_ids)
    found, before = maps_of(tmp_path / "run"), maps_of(finished_run[0])
    assert len(found) == 2 * len(IDS)
    for name, values in found.items():
        if form == "released" or "_semantic" in name:
            np.testing.assert_array_equal(values, before[name], err_msg=name)
    manifest = json.loads((tmp_path / "run/round_00/labels/manifest.json").read_text())
    assert manifest["ids"] == IDS


@pytest.mark.parametrize("form", ["folder", "coco"])
def test_labels_that_a_run_has_taken_may_go(finished_run, city, tmp_path, form):
    given = tmp_path / "given"
    shutil.copytree(finished_run[0] / "round_00/labels", given)
    if form == "coco":
        crops = ("data.crop.height=40", "data.crop.width=60")
        made = ("layout=released", "data=toy_city", f"data.root={city}", "data.toy=null", *crops)
        assert run(*made, f"run={tmp_path / 'gt'}", "stage=labels", f"labels_from={given}", "coco=true") == []
        given = tmp_path / "gt/panoptic.json"
    override = f"labels_from={given}"
    experiment = tiny_experiment(tmp_path / "run", city, override)
    run_annotations(experiment, experiment.train.ids)
    run_labels(experiment, experiment.weak_ids)
    shutil.rmtree(given) if form == "folder" else given.unlink()
    again = tiny_experiment(tmp_path / "run", city, override, "audit=true")
    refuse_other_inputs(again)
    assert run_labels(again, again.weak_ids).kept == len(IDS)
    some = LabelStore(tmp_path / "run/round_00/labels").semantic_path(IDS[0])
    shutil.copy(LabelStore(tmp_path / "run/round_00/labels").semantic_path(IDS[1]), some)
    with pytest.raises(DataError, match="changed since it was sealed"):
        run_labels(again, again.weak_ids)


def test_a_classifier_and_heatmaps_that_are_not_there_are_said_before_anything_is_made(city, tmp_path):
    for key in ("classifier_from", "heatmaps_from"):
        with pytest.raises(DataError) as caught:
            prepare(tiny_config(tmp_path / "run", city, f"{key}={tmp_path / 'gone'}"), tmp_path / "run")
        assert caught.value.key == key
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_is_no_classifier_is_said_before_anything_is_made(finished_run, city, tmp_path):
    given = finished_run[0] / "round_00/last.ckpt"
    experiment = tiny_experiment(tmp_path / "run", city, f"classifier_from={given}")
    with pytest.raises(DataError, match="expected a classifier"):
        check_networks(experiment)


def test_the_classifier_of_finished_seeds_may_go(finished_run, city, tmp_path):
    given, folder = tmp_path / "classifier.ckpt", tmp_path / "run"
    shutil.copy(finished_run[0] / "classifier/last.ckpt", given)
    override = f"classifier_from={given}"
    run_tiny(folder, city, override, "rounds.n=1")
    given.unlink()
    assert len(run_tiny(folder, city, override, "rounds.n=2")["rounds"]) == 2
    shutil.copy(finished_run[0] / "classifier/last.ckpt", given)
    refuse_other_inputs(tiny_experiment(folder, city, override, "rounds.n=2"))
    shutil.copy(finished_run[0] / "round_00/last.ckpt", given)
    with pytest.raises(RunError, match="classifier_from content"):
        refuse_other_inputs(tiny_experiment(folder, city, override, "rounds.n=2"))


def test_labels_that_are_not_there_are_said_before_anything_is_made(finished_run, city, tmp_path):
    with pytest.raises(DataError) as caught:
        prepare(tiny_config(tmp_path / "run", city, f"labels_from={tmp_path / 'gone'}"), tmp_path / "run")
    assert caught.value.key == "labels_from"
    some = tmp_path / "some"
    shutil.copytree(finished_run[0] / "round_00/labels", some)
    (some / f"{IDS[3]}_semantic.png").unlink()
    with pytest.raises(DataError, match="1 of 4 images") as caught:
        prepare(tiny_config(tmp_path / "run", city, f"labels_from={some}"), tmp_path / "run")
    assert caught.value.path == some / f"{IDS[3]}_semantic.png"
    assert not (tmp_path / "run").exists()
