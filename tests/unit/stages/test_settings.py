"""The settings that each stage stands for: flat, plain, and those alone that would make other results."""

import pytest

from tests.integration.loop_in_process import tiny_config
from weakpan.basics.errors import RunError
from weakpan.stages.settings import flatten, refuse_other_settings, settings_of
from weakpan.storage.layout import RunLayout
from weakpan.storage.stage_record import StageRecord

STAGES = [("masks", 0), ("classifier", 0), ("seeds", 0), ("labels", 0), ("labels", 1), ("segmenter", 0)]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(("stage", "index"), STAGES)
def test_they_are_flat_and_plain(config, stage, index):
    found = settings_of(config, stage, index)
    assert {type(v) for v in found.values()} <= {int, float, str, bool, list, type(None)}
    assert not [key for key in found if "workers" in key or key.startswith(("data.root", "data.toy", "rounds.n"))]


DEPENDS = {
    "masks.fusion.gap": {"masks", "labels 0", "labels 1", "segmenter 0"},
    "classifier.epochs": {"classifier 0", "seeds", "labels 0", "labels 1", "segmenter 0"},
    "seeds.rule.threshold": {"seeds", "labels 0", "labels 1", "segmenter 0"},
    "labels.rules.low_iou_fill.threshold": {"labels 0", "labels 1", "segmenter 0"},
    "segmenter.optimizer.lr": {"labels 1", "segmenter 0"},
    "rounds.epochs": {"labels 1", "segmenter 0"},
    "seeds.keep_heatmaps": set(),
}


@pytest.mark.parametrize("key", DEPENDS)
def test_each_stage_has_those_that_it_depends_on(config, key):
    have = {f"{stage} {index}" for stage, index in STAGES if key in settings_of(config, stage, index)}
    assert have == {name if " " in name else f"{name} 0" for name in DEPENDS[key]}


def test_paths_are_in_full():
    assert flatten("masks", {"path": "some", "fusion": {"gap": 1}})["masks.path"].startswith("/")


def test_a_folder_of_other_settings_is_refused_by_the_key(config, tmp_path):
    settings = {**settings_of(config, "masks"), "masks.fusion.gap": 99.0, "training images": "3 ids"}
    folder = tmp_path / "masks"
    StageRecord("masks", folder / "settings.json", folder / "manifest.json", settings).claim()
    with pytest.raises(RunError, match=r"masks\.fusion\.gap: 99\.0 then"):
        refuse_other_settings(config, RunLayout(tmp_path))
