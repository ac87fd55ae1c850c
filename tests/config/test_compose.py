"""Every shipped YAML composes with the schema, and the networks that it names can be built and run."""

from pathlib import Path

import hydra.errors
import pytest
import torch
from hydra import compose, initialize_config_dir

from weakpan.basics.catalog import CITYSCAPES, TOY_CITY
from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig, to_make_gt_config
from weakpan.config.modules import segmenter_crops
from weakpan.config.objects import build
from weakpan.config.predict import PredictConfig, to_predict_config
from weakpan.config.train import Supervision, TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.labels.pipeline import LabelRules
from weakpan.seeds import Competing, GradCamSeeds, PublishedRule, SeedSource
from weakpan.stages.build import build_classifier, build_segmenter
from weakpan.storage.class_table import load_catalog

pytestmark = pytest.mark.usefixtures("seeded")

CONF = Path(__file__).parents[2] / "conf"
GROUPS = {p.parent.name for p in CONF.glob("*/*.yaml")}
OF_MAKE_GT = {"cam", "data", "labels", "masks", "layout"}
OPTIONS = sorted((p.parent.name, p.stem) for p in CONF.glob("*/*.yaml") if p.parent.name not in {"masks", "layout"})
OPTIONS_OF_MAKE_GT = sorted((p.parent.name, p.stem) for p in CONF.glob("*/*.yaml") if p.parent.name in OF_MAKE_GT)

ALWAYS = ["run=somewhere", "data.root=data"]


def composed(*overrides, name="train"):
    register("train_schema", TrainConfig)
    register("predict_schema", PredictConfig)
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides))


def test_the_defaults_compose(monkeypatch):
    monkeypatch.setenv("WEAKPAN_STAMP", "now")
    config = to_train_config(composed())
    assert isinstance(config, TrainConfig)
    assert config.run == "runs/now"
    assert config.supervision is Supervision.weak
    assert config.data.toy is not None


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=[f"{g}={o}" for g, o in OPTIONS])
def test_every_option_composes(group, option):
    key = "cam@seeds" if group == "cam" else group
    config = to_train_config(composed(f"{key}={option}", *ALWAYS))
    load_catalog(config.data.classes)


@pytest.mark.parametrize(("group", "option"), OPTIONS_OF_MAKE_GT, ids=[f"{g}={o}" for g, o in OPTIONS_OF_MAKE_GT])
def test_every_option_of_make_gt_composes(group, option):
    reads = ("coco", "ids", "mcg", "released", "network", "sam")
    wanted = {"masks": ["masks.path=somewhere"] if option in reads else [], "layout": []}
    config = to_make_gt_config(
        composed("stage=masks", "run=o", "data.root=d", f"{group}={option}", *wanted.get(group, []), name="make_gt")
    )
    load_catalog(config.data.classes)


def test_no_option_was_missed():
    assert {p.relative_to(CONF).parts[0] for p in CONF.rglob("*.yaml") if p.parent != CONF} == GROUPS
    assert {p.stem for p in CONF.glob("*.yaml")} >= {"train", "predict", "make_gt"}
    assert len(OPTIONS) >= 15


def test_predict_composes():
    config = to_predict_config(composed("run=r", "input=photos", "out=o", name="predict"))
    assert (config.run, config.input, config.out) == ("r", "photos", "o")


def test_options_say_what_they_promise():
    assert to_train_config(composed("labels=published", *ALWAYS)).label_rules == LabelRules()
    for option, expected in (
        ("cam", GradCamSeeds(Competing())), ("cam_published", GradCamSeeds(PublishedRule(), [1.0], flip=False)),
    ):  # fmt: skip
        seeds = to_train_config(composed(f"seeds={option}", *ALWAYS)).seeds
        assert build(SeedSource, seeds, "seeds") == expected
        alone = to_make_gt_config(composed("stage=masks", "run=o", "data.root=d", f"seeds={option}", name="make_gt"))
        assert alone.seeds == seeds
    cityscapes = to_train_config(composed("data=cityscapes", *ALWAYS)).data
    assert (cityscapes.crop.height, cityscapes.crop.width, cityscapes.toy) == (400, 500, None)
    camvid = to_train_config(composed("experiment=camvid", *ALWAYS, "segmenter.init=w.pth"))
    assert (camvid.data.name, camvid.segmenter["network"]["init"], camvid.classifier["network"]["init"]) == (
        "camvid", "w.pth", "w.pth",
    )  # fmt: skip
    assert to_train_config(composed("trainer=gpu", *ALWAYS)).trainer["precision"] == "bf16-mixed"
    assert list(to_train_config(composed("logger=wandb", *ALWAYS)).logger) == ["wandb"]


@pytest.mark.parametrize("chosen", ["eccv18_weak", "[camvid,eccv18_weak]"])
def test_the_published_scheme_has_nothing_of_ours(chosen):
    config = to_train_config(composed(f"experiment={chosen}", *ALWAYS, "segmenter.init=w.pth"))
    assert config.label_rules == LabelRules()
    assert config.seed_source == GradCamSeeds(PublishedRule(), [1.0], flip=False)
    terms = config.segmenter["losses"]
    assert (terms["candidates"], terms["presence"], terms["semantic"]["class_balance"]) == (None, None, 0)
    assert not config.starts_from_classifier
    assert (config.data.name == "camvid") is ("camvid" in chosen)


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("rounds.number=3", "number"),
        ("segmentr.init=x", "segmentr"),
        ("data.toy.hight=96", "hight"),
        ("labels.score_treshold=0.9", "score_treshold"),
        ("segmenter=huge", "segmenter/huge"),
        ("optimizer=adam", "optimizer"),
    ],
)
def test_unknown_keys_are_refused_by_name(override, part):
    with pytest.raises(hydra.errors.HydraException) as caught:
        composed(override)
    chain = f"{caught.value} {caught.value.__cause__}"
    assert part in chain


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("rounds.n=many", "rounds.n"),
        ("rounds.warm_start=perhaps", "rounds.warm_start"),
        ("supervision=strong", "supervision"),
        ("rounds.n=1.5", "rounds.n"),
    ],
)
def test_wrong_types_are_refused_by_name(override, part):
    with pytest.raises(hydra.errors.HydraException) as caught:
        composed(override)
    assert part in f"{caught.value} {caught.value.__cause__}"


def shapes(module, height, width, classes):
    output = module.network(torch.rand(1, 3, height, width))
    assert output.semantic.shape[:2] == (1, classes)
    return [tuple(o.shape[-2:]) for o in output[:3]]


@pytest.mark.parametrize("option", sorted(p.stem for p in (CONF / "segmenter").glob("*.yaml")))
def test_segmenters_build_and_run(option):
    config = to_train_config(composed(f"segmenter={option}", "segmenter.init=null", *ALWAYS))
    module = build_segmenter(config.segmenter, TOY_CITY).eval()
    with torch.no_grad():
        found = shapes(module, 65, 97, TOY_CITY.num_classes)
    stride = config.segmenter["network"]["finest_stride"]
    assert found == [(-(-65 // stride), -(-97 // stride))] * 3


def test_the_published_network_keeps_the_batch_norm_of_its_encoder():
    config = to_train_config(composed("segmenter=pspnet_r101", "segmenter.init=null", *ALWAYS))
    crops = segmenter_crops(config.segmenter)
    assert (crops.height, crops.batch_size) == (713, 1)
    module = build_segmenter(config.segmenter, CITYSCAPES).train()
    output = module.network(torch.rand(1, 3, 33, 41))
    assert output.semantic.shape == (1, 19, 5, 6)
    assert output.auxiliary.shape[:2] == (1, 19)
    norms = [m for m in module.network.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) > 100
    assert not any(m.training for m in norms)


@pytest.mark.parametrize("option", sorted(p.stem for p in (CONF / "classifier").glob("*.yaml")))
def test_classifiers_build_and_run(option):
    config = to_train_config(composed(f"classifier={option}", "classifier.init=null", *ALWAYS))
    module = build_classifier(config.classifier, TOY_CITY).eval()
    with torch.no_grad():
        features = module.network.features(torch.rand(2, 3, 64, 96))
        assert features.shape[-2:] == (4, 6)
        assert module.network.head(features).shape == (2, TOY_CITY.num_classes)
