"""Classifier and seeds: go on where they were, never mix maps of two classifiers, keep heatmaps when asked."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from tests.integration.loop_in_process import assert_same_maps, tiny_config, tiny_experiment
from weakpan.basics.errors import ConfigError, DataError
from weakpan.stages.annotations import run_annotations
from weakpan.stages.build import quieten_lightning
from weakpan.stages.classifier import run_classifier
from weakpan.stages.experiment import prepare
from weakpan.stages.seeds import run_seeds
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.grad_cam_module import GradCamModule

KEEP = "seeds.keep_heatmaps=true"


def go_on(run, city, *overrides):
    """Start both stages, as the same command does."""
    experiment = tiny_experiment(run, city, *overrides)
    run_annotations(experiment, experiment.train.ids)
    record = run_classifier(experiment, [])
    run_seeds(experiment, experiment.train.ids, [])
    return record


@pytest.fixture(scope="module")
def whole(tmp_path_factory, city):
    """A run folder as it is after this stage."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    quieten_lightning()
    go_on(folder, city)
    return folder


@pytest.fixture
def interrupted(tmp_path, whole):
    """The same before the maps were sealed."""
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run/seeds/manifest.json").unlink()
    return tmp_path / "run"


@pytest.fixture
def seen(monkeypatch):
    """Ids of the images whose heatmaps are made."""
    ids, step = [], GradCamModule.predict_step

    def noted(self, batch, batch_idx):
        ids.extend(batch["image_id"])
        return step(self, batch, batch_idx)

    monkeypatch.setattr(GradCamModule, "predict_step", noted)
    return ids


def test_only_maps_that_are_missing_or_damaged_are_made_again(interrupted, whole, city, seen):
    maps = sorted((interrupted / "seeds").glob("*.png"))
    maps[1].unlink()
    maps[3].write_bytes(maps[3].read_bytes()[:60])
    before = maps[0].stat().st_mtime_ns
    go_on(interrupted, city)
    assert seen == [maps[1].stem, maps[3].stem]
    assert maps[0].stat().st_mtime_ns == before
    assert_same_maps(whole, interrupted)
    # Killed after the last map and before the seal.
    (interrupted / "seeds/manifest.json").unlink()
    go_on(interrupted, city)
    assert len(seen) == 2
    assert (interrupted / "seeds/manifest.json").is_file()


def train_again(run):
    """Other weights, as training again with other ranks would give."""
    path = run / "classifier/last.ckpt"
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {k: v + 1 if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    torch.save(content, path)
    (run / "classifier/manifest.json").unlink()


def test_maps_of_other_weights_are_not_mixed_with_those_of_these(interrupted, city, seen):
    train_again(interrupted)
    go_on(interrupted, city)
    assert len(seen) == 4


def trained_again(*_):
    raise RuntimeError("trained again")


def test_finished_seeds_outlive_the_weights_that_made_them(interrupted, whole, city, seen, monkeypatch):
    go_on(interrupted, city)
    (interrupted / "classifier/last.ckpt").unlink()
    experiment = tiny_experiment(interrupted, city)
    run_seeds(experiment, experiment.train.ids, [])
    assert seen == []
    assert_same_maps(whole, interrupted)
    # What the first round begins with is trained again.
    monkeypatch.setattr(ClassifierModule, "training_step", trained_again)
    with pytest.raises(RuntimeError, match="trained again"):
        run_classifier(experiment, [])


def test_the_classifier_has_a_record_of_its_own(whole, city):
    content = json.loads((whole / "classifier/manifest.json").read_text())
    assert set(content["summary"]) == {"epochs", "loss", "average_precision", "seconds"}
    assert {key.partition(".")[0] for key in content["settings"] if " " not in key} == {
        "seed", "data", "classifier", "trainer",
    }  # fmt: skip
    assert run_classifier(tiny_experiment(whole, city), []) == content["summary"]


@pytest.mark.parametrize("finished", [True, False])
def test_weights_that_are_damaged_are_told_before_seeds_are_made_anew(whole, tmp_path, city, seen, finished):
    run = shutil.copytree(whole, tmp_path / "run")
    if not finished:
        (run / "seeds/manifest.json").unlink()
    path = run / "classifier/last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError) as caught:
        go_on(run, city)
    assert caught.value.path == path
    assert_same_maps(whole, run)
    assert seen == []


def test_no_classifier_is_trained_where_nothing_needs_it(tmp_path, city):
    given = ("seeds._target_=tests.extension.seeds.OnlyCandidate", "rounds.from_classifier=false")
    with pytest.raises(ConfigError, match="no such key"):
        # Keys of the source that it replaces.
        tiny_experiment(tmp_path / "run", city, *given)
    config = tiny_config(tmp_path / "run", city, "rounds.from_classifier=false")
    config.seeds = {"_target_": "tests.extension.seeds.OnlyCandidate"}
    experiment = prepare(config, tmp_path / "run")
    assert not experiment.config.needs_classifier
    assert run_classifier(experiment, []) is None
    assert not (tmp_path / "run/classifier").exists()


def test_a_kill_among_maps_of_new_weights_leaves_none_of_the_old_ones(interrupted, city, seen, monkeypatch):
    train_again(interrupted)
    step = GradCamModule.predict_step

    def dies_at_the_third(self, batch, batch_idx):
        if len(seen) == 2:
            raise RuntimeError("power cut")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(GradCamModule, "predict_step", dies_at_the_third)
        with pytest.raises(RuntimeError, match="power cut"):
            go_on(interrupted, city)
    assert sorted(p.stem for p in (interrupted / "seeds").glob("*.png")) == seen
    go_on(interrupted, city)
    assert len(seen) == len(set(seen)) == 4


def test_heatmaps_are_kept_when_they_are_asked_for_in_time(interrupted, whole, city, seen, caplog):
    go_on(interrupted, city, KEEP)
    assert sorted(p.stem for p in (interrupted / "seeds/heatmaps").iterdir()) == seen
    assert_same_maps(whole, interrupted)
    # A half-written one and its map are made again, the others not.
    path = interrupted / f"seeds/heatmaps/{seen[2]}.npz"
    path.write_bytes(path.read_bytes()[:100])
    (interrupted / "seeds/manifest.json").unlink()
    go_on(interrupted, city, KEEP)
    assert seen[4:] == [path.stem]
    go_on(interrupted, city, KEEP)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    path.unlink()
    with pytest.raises(DataError) as caught:
        go_on(interrupted, city, KEEP)
    assert caught.value.path == path
    assert len(seen) == 5


def test_heatmaps_that_are_asked_for_too_late(interrupted, whole, city, seen, caplog):
    go_on(interrupted, city)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    go_on(interrupted, city, KEEP)
    sealed = interrupted / "seeds/manifest.json"
    assert f"(4 files) was not kept; delete {sealed} and start the same command again" in caplog.text
    assert seen == []
    sealed.unlink()
    go_on(interrupted, city, KEEP)
    assert sorted(p.stem for p in (interrupted / "seeds/heatmaps").iterdir()) == sorted(seen)
    assert_same_maps(whole, interrupted)
