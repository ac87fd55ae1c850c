"""A run on seeds of candidate sets, which needs no crop classifier and sees nothing but images, boxes and tags."""

from __future__ import annotations

import shutil

import pytest

from tests.integration.loop_in_process import (
    assert_same_maps,
    assert_same_weights,
    run_tiny,
    tiny_config,
    tiny_experiment,
    without_times,
)
from weakpan.basics.errors import RunError
from weakpan.seeds import set_learning
from weakpan.stages.settings import refuse_other_inputs

SETS = (
    "seeds=sets", "labels=sets", "seeds.side=64", "seeds.steps=20", "seeds.batch_size=2",
    "rounds.from_classifier=false", "rounds.first_epochs=2", "rounds.epochs=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory, city):
    """Folder and metrics of a finished run."""
    folder = tmp_path_factory.mktemp("sets") / "run"
    return folder, run_tiny(folder, city, *SETS)


def test_it_trains_no_classifier_and_says_what_stands_behind_it(whole):
    folder, metrics = whole
    assert metrics["classifier"] is None
    assert not (folder / "classifier").exists()
    assert any(line.startswith("seeds: candidate sets") for line in metrics["supervision_used"])
    assert [entry["epochs"] for entry in metrics["rounds"]] == [2, 1]
    for entry in metrics["rounds"]:
        assert 0 <= entry["held_out"]["tag_ap"] <= 1
        assert entry["held_out"]["images"] == entry["val"]["images"]


def test_ground_truth_of_training_images_is_not_looked_at(whole, city, tmp_path):
    blind = tmp_path / "blind"
    shutil.copytree(city, blind)
    shutil.rmtree(blind / "gtFine" / "train")
    file = whole[0] / "weak_annotations.json"
    metrics = run_tiny(tmp_path / "run", blind, *SETS, f"data.weak_annotations={file}")
    assert_same_maps(whole[0], tmp_path / "run")
    assert_same_weights(whole[0], tmp_path / "run")
    assert [r["held_out"] for r in metrics["rounds"]] == [r["held_out"] for r in whole[1]["rounds"]]


def test_it_goes_on_after_a_kill_amid_the_seeds(whole, city, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    predict, made = set_learning._Predict.__call__, []

    def dies(self, image_id):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(image_id)
        return predict(self, image_id)

    with monkeypatch.context() as patch:
        patch.setattr(set_learning._Predict, "__call__", dies)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(folder, city, *SETS)
    assert len(list((folder / "seeds").glob("*.png"))) == 2
    metrics = run_tiny(folder, city, *SETS)
    assert_same_maps(whole[0], folder)
    assert without_times(metrics)["rounds"] == without_times(whole[1])["rounds"]


def test_other_settings_of_the_sets_are_refused_by_name(whole, city):
    experiment = tiny_experiment(whole[0], city, *SETS, "seeds.tag_share=0.1")
    with pytest.raises(RunError, match=r"seeds\.tag_share: 0\.03 then, 0\.1 now"):
        refuse_other_inputs(experiment)


def test_masks_are_among_what_seeds_are_made_from(whole, city):
    experiment = tiny_experiment(whole[0], city, *SETS, "masks.min_box=5")
    with pytest.raises(RunError, match=r"masks\.min_box"):
        refuse_other_inputs(experiment)


def test_a_sweep_may_choose_by_figures_without_masks(city, tmp_path):
    assert tiny_config(tmp_path / "run", city, *SETS, "metric=held_out.box_ap").metric == "held_out.box_ap"
