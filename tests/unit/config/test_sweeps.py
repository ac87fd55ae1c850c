"""Where a sweep's own files go, and where those of its jobs do."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict

from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig, to_make_gt_config
from weakpan.config.train import TrainConfig

CONF = str(Path(__file__).parents[3] / "conf")


def composed(name, *overrides, job=None):
    """The configuration of a sweep, or of one of its jobs, with Hydra's part of it."""
    register("train_schema", TrainConfig)
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(CONF, version_base="1.3"):
        config = compose(name, list(overrides), return_hydra_config=True)
    with open_dict(config):
        config.hydra.mode, config.hydra.job.num = RunMode.MULTIRUN, "???" if job is None else job
    return config


@pytest.mark.parametrize(
    ("name", "given", "of_sweep", "of_job"),
    [
        ("train", "run=runs/fixed", "runs/fixed", "runs/fixed"),
        ("train", "run=runs/${oc.env:WEAKPAN_STAMP}", "runs/noon", "runs/noon"),
        ("train", "run=runs/t_${seed}", "runs/t_sweep", "runs/t_5"),
        ("train", "run=runs/${seed}/${seeds.rule.threshold}_x", "runs/sweep/sweep_x", "runs/5/0.5_x"),
        ("train", "run=${oc.env:WEAKPAN_STAMP}/j${hydra:job.num}", "noon/jsweep", "noon/j3"),
        ("train", "run=runs/${oc.select:seed}", "runs/sweep", "runs/5"),
        ("make_gt", "run=OUT/${seeds.rule.threshold}", "OUT/sweep", "OUT/0.5"),
        ("make_gt", "run=OUT", "OUT", "OUT"),
    ],
)
def test_a_sweep_has_a_folder_that_no_default_value_names(name, given, of_sweep, of_job, monkeypatch):
    monkeypatch.setenv("WEAKPAN_STAMP", "noon")
    overrides = [given, *(["seed=5"] if name == "train" else [])]
    assert composed(name, *overrides).hydra.sweep.dir == of_sweep
    job = composed(name, *overrides, job=3)
    HydraConfig.instance().set_config(job)
    try:
        assert HydraConfig.get().sweep.dir == of_job
    finally:
        HydraConfig.instance().cfg = None


def test_a_sweep_and_its_jobs_have_one_time():
    sweep = composed("train", "run=runs/${now:%f}/${seed}")
    folder = sweep.hydra.sweep.dir
    assert folder.endswith("/sweep")
    assert sweep.hydra.sweep.dir == folder
    assert str(Path(sweep.run).parent) == str(Path(folder).parent)


def test_settings_say_the_time_at_which_the_folder_was_named():
    given = ["stage=annotations", "data=camvid", "data.root=CAMVID", "run=OUT/${now:%f}"]
    with initialize_config_dir(CONF, version_base="1.3"):
        config = compose("make_gt", given)
    folder = str(config.run)
    assert to_make_gt_config(config).run == folder


@pytest.mark.parametrize(
    ("overrides", "group"),
    [
        (["run=runs/t_${seed}"], "t_sweep"),
        (["run=runs/fixed"], "fixed"),
        (["run=runs/t_${seed}", "hydra.sweep.dir=runs/mine"], "mine"),
    ],
)
def test_jobs_of_a_sweep_know_its_name(overrides, group):
    job = composed("train", "logger=wandb", *overrides, job=1)
    HydraConfig.instance().set_config(job)
    try:
        assert job.logger.wandb.group == group
    finally:
        HydraConfig.instance().cfg = None
