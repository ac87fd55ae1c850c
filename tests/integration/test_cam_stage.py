"""The first stage of a run: goes on where it was, never mixes maps of two classifiers, keeps heatmaps when asked."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.integration.loop_in_process import assert_same_maps, tiny_experiment
from weakpan.stages.build import quieten_lightning
from weakpan.stages.cams import run_cams
from weakpan.stages.settings import claim_run_folder
from weakpan.training.classifier_module import ClassifierModule

KEEP = "seeds.keep_heatmaps=true"


def go_on(run, city, *overrides):
    """Start the stage, as the same command does."""
    experiment = tiny_experiment(run, city, *overrides)
    claim_run_folder(experiment)
    run_cams(experiment, [])


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
    (tmp_path / "run/cams/manifest.json").unlink()
    return tmp_path / "run"


@pytest.fixture
def seen(monkeypatch):
    """Ids of the images whose heatmaps are made."""
    ids, step = [], ClassifierModule.predict_step

    def noted(self, batch, batch_idx):
        ids.extend(batch["image_id"] if self.make_heatmaps else [])
        return step(self, batch, batch_idx)

    monkeypatch.setattr(ClassifierModule, "predict_step", noted)
    return ids


def test_only_maps_that_are_missing_or_damaged_are_made_again(interrupted, whole, city, seen):
    maps = sorted((interrupted / "cams").glob("*.png"))
    maps[1].unlink()
    maps[3].write_bytes(maps[3].read_bytes()[:60])
    before = maps[0].stat().st_mtime_ns
    go_on(interrupted, city)
    assert seen == [maps[1].stem, maps[3].stem]
    assert maps[0].stat().st_mtime_ns == before
    assert_same_maps(whole, interrupted)
    # Killed after the last map and before the seal.
    (interrupted / "cams/manifest.json").unlink()
    go_on(interrupted, city)
    assert len(seen) == 2
    assert (interrupted / "cams/manifest.json").is_file()


@pytest.mark.parametrize("lost", ["weights", "note"])
def test_maps_of_other_weights_are_not_mixed_with_those_of_these(interrupted, city, seen, lost):
    path, note = interrupted / "classifier/last.ckpt", interrupted / "cams/classifier.json"
    if lost == "weights":
        # As trained again with other ranks.
        content = torch.load(path, weights_only=True)
        content["state_dict"] = {k: v + 1 if v.is_floating_point() else v for k, v in content["state_dict"].items()}
        torch.save(content, path)
    else:
        note.unlink()
    go_on(interrupted, city)
    assert len(seen) == 4


def test_a_kill_among_maps_of_new_weights_leaves_none_of_the_old_ones(interrupted, city, seen, monkeypatch):
    (interrupted / "cams/classifier.json").unlink()
    step = ClassifierModule.predict_step

    def dies_at_the_third(self, batch, batch_idx):
        if self.make_heatmaps and len(seen) == 2:
            raise RuntimeError("power cut")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ClassifierModule, "predict_step", dies_at_the_third)
        with pytest.raises(RuntimeError, match="power cut"):
            go_on(interrupted, city)
    assert sorted(p.stem for p in (interrupted / "cams").glob("*.png")) == seen
    go_on(interrupted, city)
    assert len(seen) == len(set(seen)) == 4


def test_heatmaps_are_kept_when_they_are_asked_for_in_time(interrupted, whole, city, seen, capsys):
    go_on(interrupted, city, KEEP)
    assert sorted(p.stem for p in (interrupted / "cams/heatmaps").iterdir()) == seen
    assert_same_maps(whole, interrupted)
    # A half-written one and its map are made again, the others not.
    path = interrupted / f"cams/heatmaps/{seen[2]}.npz"
    path.write_bytes(path.read_bytes()[:100])
    (interrupted / "cams/manifest.json").unlink()
    go_on(interrupted, city, KEEP)
    assert seen[4:] == [path.stem]
    capsys.readouterr()
    go_on(interrupted, city, KEEP)
    assert "warning" not in capsys.readouterr().out
    path.unlink()
    go_on(interrupted, city, KEEP)
    said = capsys.readouterr().out
    sealed, note = interrupted / "cams/manifest.json", interrupted / "cams/classifier.json"
    assert f"were not kept; delete {sealed} and {note} and start the same command again" in said
    assert len(seen) == 5
    sealed.unlink()
    note.unlink()
    go_on(interrupted, city, KEEP)
    assert sorted(p.stem for p in (interrupted / "cams/heatmaps").iterdir()) == sorted(seen[5:])
    assert_same_maps(whole, interrupted)
