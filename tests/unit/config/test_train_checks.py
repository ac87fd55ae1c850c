"""Checks of the configuration that types cannot make."""

import dataclasses
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.predict import PredictConfig, to_predict_config
from weakpan.config.train import Supervision, TrainConfig
from weakpan.config.train_checks import check_run, to_train_config

COMPLETE = ("run=r", "data.name=d", "data.root=x", "data.classes=camvid")
CONF = Path(__file__).parents[3] / "conf"
GROUPS = {"classifier": "small", "segmenter": "small", "masks": "default", "seeds": "cam", "labels": "default"}


def composed(*changes):
    schema = OmegaConf.structured(TrainConfig)
    groups = {group: OmegaConf.load(CONF / group / f"{option}.yaml") for group, option in GROUPS.items()}
    return OmegaConf.merge(schema, groups, OmegaConf.from_dotlist([*COMPLETE, *changes]))


def test_defaults_are_valid_and_typed():
    config = to_train_config(composed())
    assert isinstance(config, TrainConfig)
    assert config.supervision is Supervision.weak
    assert config.data.toy is None


OUT_OF_RANGE = {
    "rounds.n=0": "rounds.n=0: expected 1 or more",
    "rounds.epochs=0": "rounds.epochs=0: expected 1 or more",
    "rounds.min_loss_drop=1.5": "rounds.min_loss_drop=1.5: expected a number from 0 to 1",
    "seeds.rule.threshold=1.2": "seeds.rule.threshold=1.2: expected a number from 0 to 1",
    "seeds.scale=[1]": "seeds.scale: no such key; did you mean scales?",
    "workers=0": "workers=0: expected 1 or more",
    "masks.grabcut.core=2": "masks.grabcut.core=2.0: expected a number from 0 to 1",
    "masks._target_=guess": "masks._target_=guess: cannot be imported",
    "labels.rules.score_threshold.minimum=1.1": "labels.rules.score_threshold.minimum=1.1: expected a number",
    "labels.rules.mine._target_=weakpan.labels.Mine": "labels.rules.mine._target_=weakpan.labels.Mine: cannot be",
    "labels.rules.box_prior._target_=weakpan.masks.CocoMasks": "labels.rules.box_prior._target_=weakpan",
    "labels.steps=[tag_check]": "labels.steps: no such key",
    "data.crop.height=0": "data.crop.height=0: expected 1 or more",
    "data.toy.train=3": "data.toy={...}: scenes are generated for data=toy_city alone, not for d",
    "data.workers=-1": "data.workers=-1: expected 0 or more",
    "report.val_images=-1": "report.val_images=-1: expected 0 or more",
    "seed=-1": "seed=-1: expected 0 or more",
    "metric=val.best": "metric=val.best: expected train_loss or one of",
    "trainer.max_epochs=3": "trainer.max_epochs=3: set by the loop itself; use rounds.epochs",
    "supervision=semi": "supervision=semi: full_list=None; give full_list=FILE",
    "full_list=ids.txt": "supervision=weak: full_list=ids.txt; the list",
}


@pytest.mark.parametrize(("change", "message"), OUT_OF_RANGE.items(), ids=list(OUT_OF_RANGE))
def test_a_value_out_of_range_names_its_key(change, message):
    with pytest.raises(ConfigError) as caught:
        to_train_config(composed(change))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "change",
    ["rounds.min_loss_drop=1", "seeds.rule.threshold=0", "data.workers=0", "labels.rules.tag_check=null", "seed=0"],
)
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
    check_run(config)
    assert dataclasses.asdict(config) == before


def test_predict_takes_a_folder_or_a_split():
    given = {"run": "r", "out": "o"}
    assert isinstance(to_predict_config(OmegaConf.create({**given, "input": "photos"})), PredictConfig)
    for more in ({}, {"input": "photos", "split": "val"}):
        with pytest.raises(ConfigError, match="either"):
            to_predict_config(OmegaConf.create({**given, **more}))
