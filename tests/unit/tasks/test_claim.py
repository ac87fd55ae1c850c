"""The settings of a folder: those of its first result."""

import json

import pytest

from weakpan.basics.errors import DataError, RunError
from weakpan.config.make_gt import Stage
from weakpan.storage.map_store import read_settings
from weakpan.tasks.claim import Claim, settings_path


def claim(out, stage=Stage.labels, **settings):
    return Claim(str(out), stage, settings)


def test_nothing_binds_before_the_first_result(tmp_path):
    first, second = claim(tmp_path, round=0), claim(tmp_path, round=1)
    first.refuse_others()
    second.refuse_others()
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_started_together_the_first_result_decides(tmp_path):
    first, second = claim(tmp_path, round=0), claim(tmp_path, round=1)
    first.refuse_others()
    second.refuse_others()
    second()
    with pytest.raises(RunError, match=r"round: 1 then, 0 now"):
        first()
    second()
    assert read_settings(settings_path(str(tmp_path), Stage.labels)) == {"round": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["labels.settings.json"]


def test_a_process_that_loses_the_race_within_the_claim_is_refused(tmp_path, monkeypatch):
    """The other one writes between this one's look and its own attempt to write."""
    late, looked = claim(tmp_path, round=1), []

    def refuse_others(self, real=Claim.refuse_others):
        real(self)
        if not looked:
            looked.append(True)
            claim(tmp_path, round=0)()

    monkeypatch.setattr(Claim, "refuse_others", refuse_others)
    with pytest.raises(RunError, match=r"round: 0 then, 1 now"):
        late()


def test_a_sibling_stage_that_wins_the_race_is_noticed_and_nothing_is_left_of_the_loser(tmp_path, monkeypatch):
    """The boxes' settings come between the last look of the tags and their own."""
    late, looked = claim(tmp_path, Stage.tags, **{"data.split": "val"}), []

    def refuse_others(self, real=Claim.refuse_others):
        real(self)
        if not looked:
            looked.append(True)
            claim(tmp_path, Stage.boxes, **{"data.split": "train"})()

    monkeypatch.setattr(Claim, "refuse_others", refuse_others)
    with pytest.raises(RunError, match=r"data\.split: 'train' then, 'val' now"):
        late()
    assert [p.name for p in tmp_path.iterdir()] == ["boxes.settings.json"]


def test_boxes_and_tags_are_of_the_same_images_but_crops_are_the_tags_own(tmp_path):
    claim(tmp_path, Stage.boxes, **{"data.split": "train"})()
    claim(tmp_path, Stage.tags, **{"data.split": "train", "data.crop.width": 60})()
    with pytest.raises(RunError, match=r"data\.split: 'train' then, 'val' now"):
        claim(tmp_path, Stage.tags, **{"data.split": "val", "data.crop.width": 60})()


def test_a_file_without_settings_is_named(tmp_path):
    path = settings_path(str(tmp_path), Stage.labels)
    path.write_text(json.dumps({"version": 1}))
    with pytest.raises(DataError, match=r"labels\.settings\.json: no settings in it"):
        claim(tmp_path, round=0).refuse_others()
