"""The W&B run of a job: one a run folder, whoever starts the job again; real W&B, offline."""

import pytest
import wandb
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict

from weakpan.basics.errors import DataError
from weakpan.config.compose import register
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.stages.build import build_loggers
from weakpan.storage.layout import RunLayout

CONF = str(__file__).partition("/tests/")[0] + "/conf"


def config(*overrides, sweep=None):
    """As train.py composes it, or a job of a sweep in a folder."""
    register("train_schema", TrainConfig)
    with initialize_config_dir(CONF, version_base="1.3"):
        composed = compose("train", ["logger=wandb", "run=x", *overrides], return_hydra_config=True)
    if sweep is not None:
        with open_dict(composed):
            composed.hydra.mode, composed.hydra.sweep.dir = RunMode.MULTIRUN, str(sweep)
    HydraConfig.instance().set_config(composed)
    try:
        with open_dict(composed):
            del composed["hydra"]
        return to_train_config(composed)
    finally:
        HydraConfig.instance().cfg = None


@pytest.fixture
def start(monkeypatch):
    """Start the logger on a folder as a job does; the id of its W&B run and the folder that W&B writes to."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")

    def begin(folder, *overrides):
        logger = build_loggers(config("logger.wandb.offline=true", *overrides), RunLayout(folder))["wandb"]
        logger.log_metrics({"round": 0})
        run = logger.experiment
        found = (run.id, run.dir)
        wandb.finish()
        return found

    return begin


def test_a_run_folder_keeps_its_wandb_run(tmp_path, start):
    first, first_folder = start(tmp_path / "run")
    again, second_folder = start(tmp_path / "run")
    assert again == first
    assert first_folder != second_folder
    assert sorted(p.name.rpartition("-")[2] for p in (tmp_path / "run/wandb").glob("offline-run-*")) == [first, first]
    # Another job of the same process, as in a sweep.
    assert start(tmp_path / "other")[0] != first


def test_an_id_of_ones_own_is_kept(tmp_path, start):
    assert start(tmp_path, "+logger.wandb.id=mine")[0] == "mine"
    assert not (tmp_path / "wandb_id.txt").exists()


def test_a_damaged_id_is_refused(tmp_path):
    (tmp_path / "wandb_id.txt").write_text("a/b\n")
    with pytest.raises(DataError, match=r"wandb_id\.txt: 'a/b' is no id.*delete"):
        build_loggers(config(), RunLayout(tmp_path))


def test_an_interrupted_run_may_be_gone_on_with(tmp_path):
    (logger,) = build_loggers(config(), RunLayout(tmp_path)).values()
    assert logger._wandb_init["resume"] == "allow"


def test_jobs_of_a_sweep_are_a_group(tmp_path):
    assert config().logger["wandb"]["group"] is None
    assert config(sweep=tmp_path / "learning_rates").logger["wandb"]["group"] == "learning_rates"
