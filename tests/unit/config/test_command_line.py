"""What is wrong with a command line: told by key, with what there is, and with the status of all such errors."""

import os
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import CompactHydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from weakpan.basics.errors import STATUS_USER, ConfigError
from weakpan.config.command_line import config_error, run_command, typed_command
from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config

ROOT = Path(__file__).parents[3]


def composed(*overrides, name="train"):
    for known, schema in (("train", TrainConfig), ("make_gt", MakeGtConfig)):
        register(f"{known}_schema", schema)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(name, list(overrides))


def told(monkeypatch, capsys, *arguments):
    """The line that a command with these arguments prints, composed as Hydra would compose it."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", ["train.py", "run=somewhere", *arguments])

    def main():
        try:
            to_train_config(composed(*sys.argv[1:]))
        except ConfigError as error:
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(STATUS_USER) from None

    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == STATUS_USER
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


WRONG = {
    "rounds.epoch=3": ["rounds.epoch: no such key", "did you mean epochs?"],
    "segmentr=small": ["segmentr", "segmenter"],
    "trainer.devics=2": ["trainer.devics"],
    "labels.rules.score_treshold=null": ["labels.rules.score_treshold: no such key", "did you mean score_threshold"],
    "segmenter.losses.presense=null": ["segmenter.losses.presense: no such key", "did you mean presence"],
    "callbacks.progres=null": ["callbacks.progres: no such key"],
    "+labels.rules.score_threshold.minimum=0.5": [
        "labels.rules.score_threshold.minimum: is there already",
        "leave out",
    ],
    "trainer.limit_predict_batches=1": ["trainer.limit_predict_batches=1: set by the loop", "data.val_list"],
    "trainer.fast_dev_run=true": ["trainer.fast_dev_run=True", "debug=fast"],
    "rounds.zzz=0": ["rounds.zzz: no such key", "there are n, epochs,"],
    "segmenter=smal": ["segmenter=smal: no such option", "did you mean small?", "lite0, pspnet_r101, small"],
    "hydra/launcher=nope": ["hydra/launcher=nope: no such option", "uv sync --group sweeps"],
    "rounds.n=many": ["rounds.n=many: ", "Integer"],
    "supervision=strong": ["supervision=strong: ", "[weak, full, semi]"],
    "nonsense": ["'nonsense': not readable as KEY=VALUE"],
    "segmenter=[small,smal]": ["segmenter=smal: no such option; did you mean small?"],
    "labels.rules.tag_check.size=3": ["labels.rules.tag_check.size: no such key"],
    "labels.rules.score_threshold.minimun=3": [
        "labels.rules.score_threshold.minimun: no such key; did you mean minimum?"
    ],
    "masks.fusion.gab=1": ["masks.fusion.gab: no such key; did you mean gap"],
    "seeds.rule.treshold=1": ["seeds.rule.treshold: no such key; did you mean threshold?"],
    "segmenter.losses.presence.wait=1": ["segmenter.losses.presence.wait"],
    "segmenter.network.chanels=1": ["segmenter.network.chanels"],
    "data.crop.heigth=3": ["data.crop.heigth: no such key; did you mean height?"],
    "nothing.at.all=1": ["nothing: no such key"],
}


TORCH = {"trainer.devics=2", "segmenter.losses.presence.wait=1", "segmenter.network.chanels=1"}
"""Told once torch is there, see `weakpan.stages.checks`."""


@pytest.mark.parametrize("override", [override for override in WRONG if override not in TORCH])
def test_what_is_wrong_is_told_in_one_line(override, monkeypatch, capsys):
    line = told(monkeypatch, capsys, override)
    assert "++" not in line
    for part in WRONG[override]:
        assert part in line


def test_keys_that_no_file_holds_need_no_plus_sign(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "run=somewhere", "trainer.profiler=simple", "+callbacks.lr.x=1"])
    found = {}
    run_command(lambda: found.update(config=composed(*sys.argv[1:]), command=typed_command()))
    assert found["config"].trainer.profiler == "simple"
    assert found["command"] == "train.py run=somewhere trainer.profiler=simple +callbacks.lr.x=1"


def test_groups_and_hydras_own_keys_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "hydra.job.chdir=false", "data=camvid", "-m", "seed=1,2"])
    run_command(lambda: None)
    assert sys.argv[1:] == ["hydra.job.chdir=false", "data=camvid", "-m", "seed=1,2"]


def test_those_who_ask_for_the_traceback_get_it(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(CompactHydraException):
        run_command(lambda: composed("rounds.n=many"))


def test_other_errors_stay_what_they_are(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)
    assert "HYDRA_FULL_ERROR" not in os.environ


@pytest.mark.parametrize("argument", ["=3", "+=3", "~=3", "@x=3"])
def test_a_value_without_a_key_is_refused_before_anything_else(argument, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_gt.py", "stage=masks", argument])
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: pytest.fail("it was started"))
    assert caught.value.code == STATUS_USER
    assert capsys.readouterr().err == f"error: '{argument}': no key before the equals sign; give KEY=VALUE\n"


@pytest.mark.parametrize("argument", ["segmenter=null", "trainer=3", "trainer=4e2"])
def test_a_group_without_a_name_is_refused(argument, capsys, monkeypatch):
    assert "give the name of one of its options" in told(monkeypatch, capsys, argument)


def test_an_error_without_words_is_still_described():
    assert str(config_error(OverrideParseException("a=", ""))).startswith("'a=': not readable as KEY=VALUE")


def test_a_value_that_a_sweep_needs_and_nobody_gave_is_named():
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("make_gt", return_hydra_config=True)
    with pytest.raises(OmegaConfBaseException) as caught:
        str(config.hydra.sweep.dir)
    assert "run" in str(config_error(caught.value))
