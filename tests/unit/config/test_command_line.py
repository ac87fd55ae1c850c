"""What is wrong with a command line: said by key, with what there is, and with the status of all such errors."""

import os
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import CompactHydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from weakpan.config.scripts import Script

from weakpan.basics.errors import STATUS_USER, ConfigError
from weakpan.config.command_line import describe, run_command
from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig
from weakpan.config.predict import PredictConfig
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config

ROOT = Path(__file__).parents[3]
SCRIPTS = {name: Script(ROOT / f"{name}.py") for name in ("train", "make_gt", "predict")}
TRAIN = SCRIPTS["train"]


def composed(*overrides, name="train"):
    for known, schema in (("train", TrainConfig), ("make_gt", MakeGtConfig), ("predict", PredictConfig)):
        register(f"{known}_schema", schema)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(name, list(overrides))


WRONG = {
    "rounds.epoch=3": ["rounds.epoch: no such key", "did you mean rounds.epochs?"],
    "segmentr=small": ["segmentr: no such key", "did you mean segmenter?"],
    "trainer.devics=2": ["trainer.devics: no such key", "did you mean trainer.devices?"],
    "min_loss_drop=0": ["min_loss_drop: no such key", "did you mean rounds.min_loss_drop?"],
    "rounds.zzz=0": ["rounds.zzz: no such key", "rounds has n, epochs,", "--cfg job"],
    "segmenter=smal": ["segmenter=smal: no such option", "did you mean small?", "lite0, pspnet_r101, small"],
    "hydra/launcher=nope": ["hydra/launcher=nope: no such option", "uv sync --group sweeps"],
    "rounds.n=many": ["rounds.n=many: ", "Integer"],
    "supervision=strong": ["supervision=strong: ", "[weak, full, semi]"],
    "nonsense": ["'nonsense': not readable as KEY=VALUE"],
    "~rounds.n": ["rounds.n: ", "deletion"],
    "data@x=camvid": ["data@x"],
    "segmenter=[small,smal]": ["segmenter=smal: no such option; did you mean small? there are lite0, pspnet_r101"],
}


@pytest.mark.parametrize("override", WRONG)
def test_what_is_wrong_is_said_in_one_line(override):
    with pytest.raises(CompactHydraException) as caught:
        composed(override)
    message = describe(caught.value, TRAIN)
    assert "\n" not in message
    for part in WRONG[override]:
        assert part in message


ELSEWHERE = {
    ("train", "masks=sam"): [
        "masks=sam: train.py has no group masks, which belongs to make_gt.py",
        "; here such keys are masks.KEY=VALUE; ",
        "train.py has data, cues, labels,",
    ],
    ("train", "+masks=sam"): ["+masks=sam: train.py has no group masks, which belongs to make_gt.py"],
    ("train", "~masks"): ["~masks: train.py has no group masks, which belongs to make_gt.py"],
    ("train", "seeds=published"): ["did you mean cam@seeds=published?"],
    ("train", "seeds.threshold=0.5"): ["cam: no such key, it belongs to make_gt.py; did you mean seeds?"],
    ("train", "stage=masks"): ["stage: no such key, it belongs to make_gt.py; there are run, seed,"],
    ("make_gt", "seeds=published masks=published"): ["make_gt.py has no group cues, which belongs to train.py; make_gt.py has data,"],
    ("make_gt", "run=x"): ["run: no such key, it belongs to predict.py and train.py; there are stage,"],
    ("make_gt", "trainer=cpu"): ["which belongs to predict.py and train.py"],
    ("predict", "data=camvid"): ["which belongs to make_gt.py and train.py; predict.py has trainer"],
    ("predict", "data.root=x"): ["data: no such key, it belongs to make_gt.py and train.py; did you mean data_root?"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "override"), ELSEWHERE)
def test_what_belongs_to_another_script_is_said_to(name, override, monkeypatch):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", override])
    with pytest.raises(CompactHydraException) as caught:
        composed(override, name=name)
    message = describe(caught.value, SCRIPTS[name])
    assert "\n" not in message
    assert "Could not" not in message
    for part in ELSEWHERE[name, override]:
        assert part in message


def test_scripts_know_their_groups_and_keys():
    assert TRAIN.groups[:3] == ("data", "cues", "labels")
    assert [other.name for other in TRAIN.others] == ["make_gt.py", "predict.py"]
    assert TRAIN.knows("seed")
    assert TRAIN.knows("sweep")
    assert not any(TRAIN.knows(key) for key in ("hydra", "defaults", "override hydra/job_logging", "stage"))
    assert TRAIN.options("trainer") == ("auto", "cpu", "ddp", "gpu")


@pytest.mark.parametrize("content", ["", "seed: 1", "- a list", "not: [yaml", "defaults: null\nseed: 1"])
def test_a_configuration_of_one_s_own_belongs_to_no_script(tmp_path, content):
    (tmp_path / "conf").mkdir()
    for name, text in (("train", "defaults: [{data: toy}]\nrun: x"), ("mine", content)):
        (tmp_path / f"conf/{name}.yaml").write_text(text)
    for script in ("train.py", "make_gt.py"):
        (tmp_path / script).touch()
    assert Script(tmp_path / "train.py").others == ()
    assert Script(tmp_path / "make_gt.py").elsewhere("data") == "train.py"
    # A script whose own configuration is in this state is not there to say that.
    (tmp_path / "mine.py").touch()
    assert Script(tmp_path / "train.py").elsewhere("data") == ""
    assert Script(tmp_path / "mine.py").groups == ()


def test_a_key_that_was_added_past_the_schema_is_refused():
    with pytest.raises(ConfigError, match=r"rounds\.nummer: no such key; rounds has n, epochs"):
        to_train_config(composed("run=somewhere", "+rounds.nummer=3"))


def test_it_is_printed_as_all_that_users_can_mend(capsys, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: composed("rounds.n=many"), TRAIN)
    assert caught.value.code == STATUS_USER == 2
    assert (
        capsys.readouterr().err
        == "error: rounds.n=many: Value 'many' of type 'str' could not be converted to Integer\n"
    )
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_those_who_ask_for_the_traceback_get_it(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(CompactHydraException):
        run_command(lambda: composed("rounds.n=many"), TRAIN)


def test_other_errors_stay_what_they_are(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0, TRAIN)
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_a_configuration_that_is_not_there_is_named_with_those_that_are():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"), pytest.raises(CompactHydraException) as caught:
        compose("trian")
    assert describe(caught.value) == (
        "--config-name=trian: no such configuration; did you mean train? there are make_gt, predict, train"
    )


@pytest.mark.parametrize("argument", ["=3", "+=3", "~=3", "@x=3"])
def test_a_value_without_a_key_is_refused_before_anything_else(argument, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_gt.py", "stage=boxes", argument])
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: pytest.fail("it was started"), TRAIN)
    assert caught.value.code == STATUS_USER
    assert capsys.readouterr().err == f"error: '{argument}': no key before the equals sign; give KEY=VALUE\n"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (
            "segmenter=null",
            "segmenter=null: a group takes the name of one of its options; there are lite0, pspnet_r101",
        ),
        ("trainer=3", "trainer=3: a group takes the name of one of its options; there are auto, cpu, ddp, gpu"),
        ("trainer=4e2", "Got float; give the name of one of its options"),
    ],
)
def test_a_group_without_a_name_is_refused(argument, said, capsys, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=3", argument])
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: composed(argument), TRAIN)
    assert caught.value.code == STATUS_USER
    assert said in capsys.readouterr().err


def test_processes_that_are_started_on_the_way_say_it_as_this_one_does(capsys, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    inherited = {}
    run_command(lambda: inherited.update(os.environ), TRAIN)
    for name, value in inherited.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        run_command(lambda: composed("rounds.n=many"), TRAIN)
    assert capsys.readouterr().err.startswith("error: rounds.n=many")


def test_an_error_of_no_words_is_still_described():
    assert describe(OverrideParseException("a=", "")).startswith("'a=': not readable as KEY=VALUE")


def test_a_group_of_another_script_is_told_from_one_without_a_name(capsys, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", ["predict.py", "rounds=1"])

    def main():
        raise ValueError("Config group override must be a string or a list. Got int")

    with pytest.raises(SystemExit):
        run_command(main, Script(ROOT / "predict.py"))
    said = capsys.readouterr().err
    assert said == "error: rounds: no such key, it belongs to train.py; --cfg job prints all keys of predict.py\n"


def test_a_value_that_a_sweep_needs_and_nobody_gave_is_named():
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("make_gt", return_hydra_config=True)
    with pytest.raises(OmegaConfBaseException) as caught:
        str(config.hydra.sweep.dir)
    assert describe(caught.value) == "no value for out; give one as KEY=VALUE on the command line"
