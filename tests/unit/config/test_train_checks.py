"""Checks of the configuration that types cannot make, and the settings that manifests keep."""

import dataclasses
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.predict import PredictConfig, to_predict_config
from weakpan.config.train import Supervision, TrainConfig
from weakpan.config.train_checks import check_train, settings_of, to_train_config
from weakpan.toy_city.city import ToyCitySpec

COMPLETE = ("run=r", "data.name=d", "data.root=x", "data.classes=camvid")
CONF = Path(__file__).parents[3] / "conf"


def composed(*changes):
    schema = OmegaConf.structured(TrainConfig)
    modules = {group: OmegaConf.load(CONF / group / "small.yaml") for group in ("classifier", "segmenter")}
    return OmegaConf.merge(schema, modules, OmegaConf.from_dotlist([*COMPLETE, *changes]))


def test_defaults_are_valid_and_typed():
    config = to_train_config(composed())
    assert isinstance(config, TrainConfig)
    assert config.supervision is Supervision.weak
    assert config.data.toy is None


OUT_OF_RANGE = {
    "rounds.n=0": "rounds.n=0: expected 1 or more",
    "rounds.epochs=0": "rounds.epochs=0",
    "rounds.min_loss_drop=1.5": "rounds.min_loss_drop=1.5: expected 0 to 1",
    "seeds.threshold=1.2": "seeds.threshold=1.2: expected 0 to 1",
    "workers=0": "workers=0",
    "masks.grabcut.core=2": "masks.grabcut.core=2.*expected a number from 0 to 1",
    "masks._target_=guess": "masks._target_=guess: cannot be imported",
    "labels.rules.mine._target_=weakpan.labels.Mine": "labels.rules.mine._target_=weakpan.labels.Mine",
    "labels.steps=[tag_check]": "labels.steps: no such key; did you mean",
    "data.crop.height=0": "data.crop.height=0",
    "data.workers=-1": "data.workers=-1",
    "report.val_images=-1": "report.val_images=-1",
    "seed=-1": "seed=-1",
    "supervision=semi": "supervision=semi with full_list=None",
    "full_list=ids.txt": "supervision=weak with full_list=ids.txt",
}


@pytest.mark.parametrize(("change", "message"), OUT_OF_RANGE.items(), ids=list(OUT_OF_RANGE))
def test_a_value_out_of_range_names_its_key(change, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        to_train_config(composed(change))


@pytest.mark.parametrize(
    "change",
    ["rounds.min_loss_drop=1", "seeds.threshold=0", "data.workers=0", "labels.rules.mine=null", "seed=0"],
)  # fmt: skip
def test_the_ends_of_ranges_are_allowed(change):
    to_train_config(composed(change))


def test_a_missing_value_names_its_key():
    schema = OmegaConf.structured(TrainConfig)
    given = OmegaConf.from_dotlist([c for c in COMPLETE if not c.startswith("data.root")])
    with pytest.raises(ConfigError, match=r"no value for data\.root"):
        to_train_config(OmegaConf.merge(schema, given))


def test_an_interpolation_that_leads_nowhere_is_named():
    with pytest.raises(ConfigError, match="nowhere"):
        to_train_config(composed("segmenter.init=${nowhere}"))


def test_checks_do_not_change_a_configuration():
    config = to_train_config(composed())
    before = dataclasses.asdict(config)
    check_train(config)
    assert dataclasses.asdict(config) == before


def test_settings_are_flat_plain_and_without_workers():
    config = to_train_config(composed("labels.rules.fill={_target_: weakpan.labels.LowIouFill, threshold: 0.5}"))
    found = settings_of(config, "seed", "supervision", "data", "labels", "cues")
    assert found["seed"] == 0
    assert found["supervision"] == "weak"
    assert found["labels.rules.fill.threshold"] == 0.5
    assert found["labels.rules.fill._target_"] == "weakpan.labels.LowIouFill"
    assert found["data.crop.height"] == 400
    assert found["data.toy"] is None
    assert not [key for key in found if "workers" in key]
    assert {type(v) for v in found.values()} <= {int, float, str, bool, list, type(None)}


def test_settings_of_a_generated_data_set_are_listed_one_by_one():
    config = dataclasses.replace(to_train_config(composed()))
    config.data.toy = ToyCitySpec(train=3)
    assert settings_of(config, "data")["data.toy.train"] == 3


def test_predict_takes_a_folder_or_a_split():
    given = {"run": "r", "out": "o"}
    assert isinstance(to_predict_config(OmegaConf.create({**given, "input": "photos"})), PredictConfig)
    for more in ({}, {"input": "photos", "split": "val"}):
        with pytest.raises(ConfigError, match="either"):
            to_predict_config(OmegaConf.create({**given, **more}))
