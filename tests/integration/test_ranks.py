"""One rank equals two, wherever it can; what starts them, or kills one, makes no difference."""

import json
import shutil
import signal

import pytest
from omegaconf import OmegaConf

from tests.integration.jobs import GO_ON, Job, command, metrics_of, run_job
from tests.integration.loop_in_process import assert_same_maps, assert_same_weights, maps_of, run_tiny

SETTINGS = ("rounds.epochs=4", "report.train_images=1", "report.val_images=1")
"""Epochs enough to be killed between two; one picture, so that a rank has none to predict."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory, city):
    """Run folder of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    run_tiny(folder, city, *SETTINGS)
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory, city):
    """Run folder of two ranks that the job started itself."""
    folder = tmp_path_factory.mktemp("two") / "run"
    run_job(command(folder, city, *SETTINGS))
    return folder


def settings_of(path):
    return json.loads(path.read_text())["settings"]


def test_two_ranks_leave_what_one_leaves(alone, two):
    assert maps_of(two).keys() == maps_of(alone).keys()
    names = {str(p.relative_to(alone)) for p in alone.rglob("*") if p.is_file() and ".hydra" not in p.parts}
    assert {str(p.relative_to(two)) for p in two.rglob("*") if p.is_file() and ".hydra" not in p.parts} - names == {
        ".lock",
        "logs/weakpan.log",
    }
    assert not names - {str(p.relative_to(two)) for p in two.rglob("*")}


def test_what_no_training_touches_is_the_same_to_the_bit(alone, two):
    one, other = maps_of(alone), maps_of(two)
    masks = [name for name in one if name.startswith("masks/")]
    assert len(masks) == 4
    assert all((one[name] == other[name]).all() for name in masks)
    assert (alone / "weak_annotations.json").read_bytes() == (two / "weak_annotations.json").read_bytes()
    # The seeds of either run are of weights of their own, which their record says beside its settings.
    records = [str(p.relative_to(alone)) for p in alone.rglob("settings.json")]
    assert len(records) == 8
    for name in records:
        assert settings_of(alone / name) == settings_of(two / name)
    assert metrics_of(alone)["masks"] == metrics_of(two)["masks"]


def test_the_same_checkpoints_give_the_same_labels_and_scores_on_two_ranks(tmp_path, alone, city):
    run = tmp_path / "run"
    shutil.copytree(alone, run)
    for made in ("masks", "seeds", "round_00/labels", "round_01"):
        shutil.rmtree(run / made)
    (run / "round_00" / "manifest.json").unlink()
    (run / "metrics.json").unlink()
    run_job(command(run, city, *SETTINGS))
    # Seeds of the same classifier, labels of the same segmenter, and what is derived from them.
    assert_same_maps(alone, run)
    assert_same_weights(alone, run, rounds=1)
    assert metrics_of(run)["rounds"][0] == metrics_of(alone)["rounds"][0]
    assert metrics_of(run)["rounds"][1]["labels"] == metrics_of(alone)["rounds"][1]["labels"]


def test_stages_that_two_ranks_make_alone_are_those_of_one(tmp_path, alone, city):
    run = shutil.copytree(alone, tmp_path / "run")
    for made in ("seeds", "round_00/manifest.json", "round_01", "metrics.json"):
        shutil.rmtree(run / made) if (run / made).is_dir() else (run / made).unlink()
    (run / "round_00/labels/manifest.json").unlink()
    for stage in (("stage=seeds",), ("stage=labels", "round=1")):
        job = run_job(command(run, city, *SETTINGS, *stage, script="make_gt.py"))
        assert not any("rror" in line for line in job.lines)
    assert_same_maps(alone, run)
    run_tiny(run, city, *SETTINGS)
    assert_same_maps(alone, run)
    assert_same_weights(alone, run)
    assert metrics_of(run) == metrics_of(alone)


def test_torchrun_gives_the_same_run(tmp_path, two, city):
    # Its processes read the clock each for itself and still agree on a folder.
    run_job(command(f"{tmp_path}/${{oc.env:WEAKPAN_STAMP}}", city, *SETTINGS, launcher="torchrun"))
    (run,) = tmp_path.iterdir()
    assert_same_maps(two, run)
    assert_same_weights(two, run)
    assert metrics_of(run) == metrics_of(two)


def test_a_rank_that_is_killed_ends_the_job_and_the_same_command_goes_on(tmp_path, city, two):
    arguments = command(tmp_path / "killed", city, *SETTINGS)
    job = Job(arguments)
    job.wait_for("round 0 fit: epoch 2")
    doomed = job.ranks()[1].pid
    assert job.kill(1, signal.SIGKILL) < 15
    assert job.process.returncode == 3
    cause = f"error: rank 1 (process {doomed}) was killed by SIGKILL, perhaps for want of memory,"
    assert job.lines[-1] == f"{cause} during stage 'round 0 fit'; {GO_ON}"
    again = run_job(arguments)
    # From the checkpoint of an epoch, not from the start.
    assert not any(line.startswith(("round 0 fit: epoch 1/", "classifier: epoch")) for line in again.lines)
    assert_same_maps(two, tmp_path / "killed")
    assert_same_weights(two, tmp_path / "killed")
    assert metrics_of(two) == metrics_of(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("resume.ckpt"))


@pytest.mark.slow
def test_more_ranks_than_images_to_score(tmp_path, city, two):
    run_job(command(tmp_path / "run", city, "rounds.n=1", *SETTINGS, ranks=3))
    metrics = metrics_of(tmp_path / "run")
    assert metrics["rounds"][0]["val"]["images"] == 2
    assert {k for k in maps_of(two) if not k.startswith("round_01")} == set(maps_of(tmp_path / "run"))


@pytest.mark.slow
def test_ranks_that_came_to_different_folders_are_told(tmp_path, city):
    # What torchrun does without the store in which its processes meet.
    arguments = command(f"{tmp_path}/${{oc.env:LOCAL_RANK}}", city, launcher="torchrun")
    job = Job(arguments)
    assert job.finish() != 0
    assert any("rank 0 came to run folder" in line and "give all of them the same one" in line for line in job.lines)


@pytest.mark.slow
def test_jobs_of_a_sweep_have_ranks_and_folders_of_their_own(tmp_path, city):
    arguments = command(tmp_path / "sweep", city, "rounds.n=1", "seed=1,2")
    arguments.insert(arguments.index("train.py") + 1, "-m")
    run_job(arguments)
    one, other = (tmp_path / "sweep" / str(job) for job in (0, 1))
    assert maps_of(one).keys() == maps_of(other).keys()
    for seed, run in ((1, one), (2, other)):
        assert settings_of(run / "round_00/settings.json")["seed"] == seed
    # Ranks that trained with another seed would have left other weights.
    run_job(command(tmp_path / "single", city, "rounds.n=1", "seed=2"))
    assert_same_weights(other, tmp_path / "single", rounds=1)


@pytest.mark.slow
def test_a_search_tells_the_figure_of_the_settings_that_all_ranks_had(tmp_path, city):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    folder = tmp_path / "search"
    search = ("sweep=optuna", "hydra.sweeper.n_trials=2", "metric=val.miou")
    arguments = command(folder, city, "rounds.n=1", *search)
    arguments.insert(arguments.index("train.py") + 1, "-m")
    run_job(arguments)
    found = OmegaConf.load(folder / "optimization_results.yaml")
    figures = [
        json.loads((folder / str(job) / "metrics.json").read_text())["rounds"][0]["val"]["miou"] for job in (0, 1)
    ]
    best = figures.index(max(figures))
    assert found.best_value == figures[best]
    settings = settings_of(folder / str(best) / "round_00/settings.json")
    assert found.best_params == {key: settings[key] for key in found.best_params}
    # A rank that trained with other settings would have left other weights.
    run_job(command(tmp_path / "single", city, "rounds.n=1", *(f"{k}={v!r}" for k, v in found.best_params.items())))
    assert_same_weights(folder / str(best), tmp_path / "single", rounds=1)
