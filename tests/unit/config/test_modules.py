"""Groups `classifier` and `segmenter` before torch is there."""

import inspect
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.modules import CLASSIFIER, KEYS, SEGMENTER, check_modules, classifier_crops, segmenter_crops
from weakpan.config.objects import locate

CONF = Path(__file__).parents[3] / "conf"


def groups(*changes):
    shipped = {group: OmegaConf.load(CONF / group / "small.yaml") for group in ("classifier", "segmenter")}
    merged = OmegaConf.to_container(OmegaConf.merge(shipped, OmegaConf.from_dotlist(list(changes))), resolve=True)
    return merged["classifier"], merged["segmenter"]


REFUSED = {
    "classifier.epochs=0": "classifier.epochs=0: expected a whole number, 1 or more",
    "classifier.epochs=1.5": "classifier.epochs=1.5",
    "classifier.crops.images_per_batch=0": "classifier.crops.images_per_batch=0",
    "classifier.crops.height=0": "classifier.crops.height=0",
    "classifier.crops.scales=[2,1]": "classifier.crops.scales=",
    "classifier.optimizer.lr=0": "classifier.optimizer.lr=0: expected more than 0",
    "segmenter.crops.batch_size=0": "segmenter.crops.batch_size=0",
    "segmenter.crops.batch_size=many": "segmenter.crops.batch_size=many",
    "segmenter.crops.scale=0": "segmenter.crops.scale=0",
    "segmenter.crops.scale=nan": "segmenter.crops.scale=nan",
    "segmenter.crops.min_scale=3": "segmenter.crops.max_scale=1.5: expected at least min_scale, 3",
    "segmenter.crops.centre_sigma=-1": "segmenter.crops.centre_sigma=-1",
    "segmenter.crops.hight=3": "segmenter.crops.hight: no such key; did you mean height",
    "segmenter.losses.centre.weight=-1": "segmenter.losses.centre.weight=-1",
    "segmenter.losses.centre=3": "segmenter.losses.centre=3: expected a term",
    "segmenter.optimizer.weight_decay=-1": "segmenter.optimizer.weight_decay=-1",
    "segmenter.optimizer=adamw": "segmenter.optimizer=adamw: expected an object",
    "segmenter.encoder_lr_factor=-1": "segmenter.encoder_lr_factor=-1",
    "segmenter.optmizer.lr=1": "segmenter.optmizer: no such key; did you mean optimizer",
}


@pytest.mark.parametrize(("change", "message"), REFUSED.items(), ids=list(REFUSED))
def test_what_does_not_fit_names_its_key(change, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        check_modules(*groups(change))


@pytest.mark.parametrize(
    "change",
    ["segmenter.losses.candidates=null", "segmenter.losses.candidates.weight=0", "segmenter.scheduler=null",
     "segmenter._target_=mine.Module", "segmenter.encoder_lr_factor=0", "classifier.crops.height=20"],
)  # fmt: skip
def test_the_ends_of_ranges_are_allowed(change):
    check_modules(*groups(change))


def test_keys_of_a_module_of_ones_own_are_not_known_yet():
    check_modules(*groups("segmenter._target_=mine.Module", "segmenter.depth=3"))


def test_crops_are_typed():
    classifier, segmenter = groups("classifier.crops.width=20", "segmenter.crops.scale=2")
    assert (classifier_crops(classifier).width, segmenter_crops(segmenter).scale) == (20, 2.0)


@pytest.mark.parametrize(("name", "group"), [(CLASSIFIER, "classifier"), (SEGMENTER, "segmenter")])
def test_the_keys_that_are_known_without_torch_are_those_of_the_module(name, group):
    given_by_the_loop = {"catalog", "scales", "views"}
    arguments = set(inspect.signature(locate(name, group)).parameters) - given_by_the_loop
    beside = ("init", "crops", "epochs") if group == "classifier" else ("init", "crops")
    assert set(KEYS[name]) == {"_target_", *arguments, *beside}
