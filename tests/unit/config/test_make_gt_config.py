"""What make_gt.py may be told: published defaults, every check, every option of its groups."""

import copy
from pathlib import Path

import hydra.errors
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import register
from weakpan.config.data import BoxSource, OnError, TagSource
from weakpan.config.make_gt import LayoutConfig, MakeGtConfig, Stage, to_make_gt_config
from weakpan.labels.pipeline import LabelRules
from weakpan.masks import GrabCutAndProposals
from weakpan.storage.class_table import load_catalog

CONF = Path(__file__).parents[3] / "conf"
ALWAYS = ("data.root=data", "run=results")


def composed(*overrides):
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("make_gt", list(overrides))


def checked(*overrides):
    return to_make_gt_config(composed(*ALWAYS, *overrides))


def refused(*overrides):
    with pytest.raises(ConfigError) as caught:
        checked(*overrides)
    return str(caught.value)


def test_the_defaults_are_those_of_the_loop():
    config = checked("stage=labels")
    assert isinstance(config, MakeGtConfig)
    data = config.data
    assert (data.classes, data.train_split, data.train_list) == ("toy_city", "train", None)
    assert (data.boxes, data.tags) == (BoxSource.ground_truth, TagSource.ground_truth)
    assert config.layout == LayoutConfig()
    assert (config.stage, config.round, config.workers, config.part) == (Stage.labels, 0, None, (0, 1))
    assert config.on_error is OnError.stop
    assert (config.audit, config.coco, config.mat) == (False, False, False)
    assert config.mask_source == GrabCutAndProposals()


def test_the_schema_agrees_with_the_yaml():
    """Whoever uses the package without conf/ gets the same."""
    config, schema = checked("stage=annotations"), MakeGtConfig()
    assert config.layout == schema.layout
    assert config.mask_source == schema.mask_source
    assert config.mask_net == schema.mask_net
    for key in ("round", "workers", "shard", "on_error", "audit", "pictures", "mat", "coco"):
        assert getattr(config, key) == getattr(schema, key), key


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage(stage):
    assert checked(f"stage={stage.value}").stage is stage


@pytest.mark.parametrize("option", sorted(p.stem for p in (CONF / "data").glob("*.yaml")))
def test_every_data_set(option):
    config = checked("stage=annotations", f"data={option}")
    assert load_catalog(config.data.classes).num_classes >= 11
    assert (option == "toy_city") == (config.data.toy is not None)


def test_the_released_layout_brings_the_published_rules(tmp_path):
    config = checked("stage=labels", "layout=released", f"layout.inputs={tmp_path}", "data.boxes=mat")
    assert (config.layout.released, config.layout.inputs) == (True, str(tmp_path))
    assert config.label_rules == LabelRules()
    assert (config.data.boxes, config.data.tags) == (BoxSource.mat, TagSource.ground_truth)
    assert config.data.mat == "gtFine_bboxes/{split}/panoptic/{id}_leftImg8bit.mat"
    coarse = checked("stage=labels", "layout=released", "labels=coarse")
    assert list(coarse.label_rules.rules) == ["score_threshold", "mask_merge", "low_iou_fill"]


@pytest.mark.parametrize(("shard", "part"), [("0/1", (0, 1)), ("0/4", (0, 4)), ("3/4", (3, 4)), ("007/10", (7, 10))])
def test_shards(shard, part):
    assert checked("stage=annotations", f"shard={shard}").part == part


REFUSED = {
    "round=-1": "round=-1: expected 0 or more",
    "pictures=-1": "pictures=-1: expected 0 or more",
    "workers=0": "workers=0: expected 1 or more",
    "workers=-2": "workers=-2: expected 1 or more",
    "layout.inputs=nowhere": "layout.inputs=nowhere: no such folder",
    "data.crop.height=0": "data.crop.height=0: expected 1 or more",
    "data.crop.width=-5": "data.crop.width=-5: expected 1 or more",
    "shard=4": "shard=4: expected k/n",
    "shard=a/b": "shard=a/b: expected k/n",
    "shard=1/0": "shard=1/0: expected k/n",
    "shard=-1/4": "shard=-1/4: expected k/n",
    "shard=1/4/2": "shard=1/4/2: expected k/n",
    "shard=4/4": "shard=4/4: parts count from 0, so the last one is 3/4",
    "data.boxes=coco": "data.boxes=coco: no file to read from; give data.coco=FILE",
    "data.tags=coco": "data.tags=coco: no file to read from; give data.coco=FILE",
    "data.mat=boxes/{split}.mat": r"data.mat=boxes/\{split\}.mat: must hold \{id\}",
    "data.mat={group}/{id}.mat": r"data.mat=.*: expected a file name in which \{split\}, \{id\} stand",
    "data.files.image=photo.png": r"data.files.image=photo.png: must hold \{id\}.*may hold \{split\}, \{group\}",
    "data.files.label_ids={city}/{id}.png": r"data.files.label_ids=\{city\}/\{id\}.png: expected a file name",
    "data.files.instance_ids={id": r"data.files.instance_ids=\{id: expected a file name",
    "data.files.instance_train_ids={}{id}": r"data.files.instance_train_ids=\{\}\{id\}: expected a file name",
    "audit=true": "audit=True: belongs to stage=masks, seeds, labels, not to stage=annotations",
    "coco=true": "coco=True: belongs to stage=labels, not to stage=annotations",
    "masks._target_=guess": "masks._target_=guess: cannot be imported",
    "masks.path=x": "masks.path: no such key",
    "masks.fusion.gap=700": "masks.fusion.gap=700.0: expected a number from 0 to 100",
    "mask_net.steps=0": "mask_net.steps=0: expected 1 or more",
    "mask_net.windows.side=40": "mask_net.windows.side=40: expected a multiple of 16",
    "labels.rules.score_threshold.minimum=2": "labels.rules.score_threshold.minimum=2.0: expected a number from 0 to 1",
    "labels.steps=[tag_check]": "labels.steps: no such key",
    "run=???": "no value for run; give one",
}


def test_stages_that_are_about_all_images_have_no_shards():
    for stage in ("mask_net", "classifier", "segmenter", "scores"):
        with pytest.raises(ConfigError, match="all images at once"):
            checked(f"stage={stage}", "shard=0/2")


def test_a_mask_network_learns_on_one_device():
    with pytest.raises(ConfigError, match=r"trainer\.devices=2: .*one device"):
        checked("stage=mask_net", "trainer.devices=2")


@pytest.fixture(scope="module")
def sound():
    return composed(*ALWAYS, "stage=annotations")


@pytest.mark.parametrize("override", REFUSED)
def test_values_that_make_no_sense(sound, override):
    key, _, text = override.partition("=")
    config = copy.deepcopy(sound)
    # As the command line does it: any key may be added.
    OmegaConf.update(config, key, text if "{" in text else yaml.safe_load(text), force_add=True)
    with pytest.raises(ConfigError, match=REFUSED[override]):
        to_make_gt_config(config)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (["data=camvid", "run=results"], "no value for data.root; give one"),
        (["masks=coco", *ALWAYS], "masks.path"),
    ],
)  # fmt: skip
def test_options_that_need_more(given, part):
    with pytest.raises(ConfigError) as caught:
        to_make_gt_config(composed("stage=annotations", *given))
    assert part in str(caught.value)


@pytest.mark.parametrize("given", [["mat=true", "stage=masks"], ["mat=true", "stage=labels"]])
def test_matlab_files_are_of_boxes(given):
    assert refused(*given).startswith("mat=True: belongs to stage=annotations, not to stage=")


def test_no_stage():
    assert refused() == "no value for stage; give one as KEY=VALUE on the command line"


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("stage=label", ["stage", "label", "annotations"]),
        ("on_error=ignore", ["on_error", "ignore"]),
        ("data.boxes=xml", ["data.boxes", "xml"]),
        ("data.tags=mat", ["data.tags", "mat"]),
        ("round=first", ["round", "first"]),
        ("labels.rules.low_iou_fill.over_things=perhaps", ["labels.rules.low_iou_fill.over_things"]),
        ("wokers=2", ["wokers"]),
        ("data.splt=val", ["splt"]),
        ("labels.fill=0.5", ["fill"]),
        ("layout=web", ["layout/web"]),
        ("masks.fusion.gab=1", ["gab"]),
    ],
)
def test_unknown_keys_and_values_are_refused_by_name(override, parts):
    with pytest.raises((hydra.errors.HydraException, ConfigError)) as caught:
        checked(*([] if override.startswith("stage") else ["stage=annotations"]), override)
    said = f"{caught.value} {caught.value.__cause__}"
    for part in parts:
        assert part in said
