"""Stages of make_gt.py in a run folder, where they make what train.py makes, and train.py goes on from them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import weakpan.stages.score
from tests.integration.loop_in_process import (
    TINY,
    InlineExecutor,
    assert_same_maps,
    assert_same_weights,
    run_tiny,
    without_times,
)
from tests.integration.make_gt_in_process import run, times
from tests.integration.scripts import Script
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import DataError, RunError, WeakpanError
from weakpan.data.formats.coco import CocoPanoptic
from weakpan.storage.images import read_map, write_indexed_png
from weakpan.tasks.annotations import MakeAnnotations

OPTIONS = [o for o in TINY if o.partition("=")[0] not in ("rounds.n",)]
IDS = [f"toyville_{k:06d}_000019" for k in range(4)]


@pytest.fixture
def told(city, tmp_path):
    return *OPTIONS, f"data.root={city}", f"run={tmp_path / 'run'}"


def test_stage_by_stage_it_is_what_train_makes(told, city, finished_run, tmp_path):
    """In shards where images can be shared, and every stage as one that other commands go on from."""
    folder, out = finished_run[0], tmp_path / "run"
    for stage in ("masks", "classifier", "seeds", "labels", "segmenter", "labels", "segmenter"):
        shards = ("shard=1/2", "shard=0/2") if stage in ("masks", "seeds") else ("shard=null",)
        later = f"round={int((out / 'round_00/last.ckpt').is_file())}"
        for shard in shards:
            assert run(*told, f"stage={stage}", shard, later) == []
    assert_same_maps(folder, out)
    assert_same_weights(folder, out)
    assert (out / "weak_annotations.json").read_bytes() == (folder / "weak_annotations.json").read_bytes()
    # What is left to train.py are scores and report.
    before = times(out)
    metrics = run_tiny(out, city)
    assert without_times(metrics) == without_times(finished_run[1])
    after = times(out)
    assert not [name for name in before if name.endswith((".png", ".ckpt")) and after[name] != before[name]]


def test_shards_that_start_together(told, finished_run, tmp_path):
    """All need the annotations of all images first, which none has made."""
    with (tmp_path / "log").open("w") as log:
        shards = [Script(["make_gt.py", "stage=masks", f"shard={k}/2", *told], *[log.fileno()] * 2) for k in range(2)]
        assert [shard.wait(120) for shard in shards] == [0, 0], (tmp_path / "log").read_text()
    assert_same_annotations_and_masks(tmp_path / "run", finished_run[0])


def test_a_shard_that_is_overtaken_while_it_joins_annotations(told, finished_run, tmp_path, monkeypatch):
    def join(self, path, ids, real=MakeAnnotations.join):
        with monkeypatch.context() as patch:
            patch.setattr(MakeAnnotations, "join", real)
            assert run(*told, "stage=masks", "shard=1/2") == []
        real(self, path, ids)

    monkeypatch.setattr(MakeAnnotations, "join", join)
    assert run(*told, "stage=masks", "shard=0/2") == []
    assert_same_annotations_and_masks(tmp_path / "run", finished_run[0])


def assert_same_annotations_and_masks(one, other):
    for name in ("weak_annotations.json", "masks/manifest.json"):
        found, expected = (json.loads((root / name).read_text()) for root in (one, other))
        for content in (found, expected):
            content.pop("summary", None)
        assert found == expected


def test_annotations_that_are_missing_are_listed_and_nothing_else_is_made(told, city, tmp_path):
    shutil.copytree(city, tmp_path / "data")
    path = next((tmp_path / "data").rglob(f"{IDS[2]}_gtFine_instanceIds.png"))
    path.write_bytes(path.read_bytes()[:100])
    told = (*told, f"data.root={tmp_path / 'data'}")
    with pytest.raises(DataError, match=path.name):
        run(*told, "stage=masks")
    ((image_id, message),) = run(*told, "stage=masks", "on_error=skip")
    assert image_id == IDS[2]
    assert path.name in message
    assert not (tmp_path / "run/masks").exists()
    shutil.copy(next(city.rglob(path.name)), path)
    assert run(*told, "stage=masks") == []
    assert (tmp_path / "run/masks/manifest.json").is_file()
    # Their parts have gone into the file.
    assert not (tmp_path / "run/annotations/images").exists()


def test_masks_that_were_changed_are_named(told, finished_run, tmp_path):
    copy_masks(finished_run[0], tmp_path / "run")
    assert run(*told, "stage=masks") == []
    path = tmp_path / f"run/masks/{IDS[1]}.png"
    write_indexed_png(path, np.full((64, 96), 254, np.uint8), np.zeros((256, 3), np.uint8))
    with pytest.raises(DataError, match="changed since it was sealed") as caught:
        run(*told, "stage=masks")
    assert caught.value.path == path


def test_labels_are_not_made_from_masks_that_were_changed(told, finished_run, tmp_path):
    copy_masks(finished_run[0], tmp_path / "run")
    assert run(*told, "stage=masks") == []
    shutil.copytree(finished_run[0] / "seeds", tmp_path / "run/seeds")
    path = tmp_path / f"run/masks/{IDS[1]}.png"
    write_indexed_png(path, np.full((64, 96), 254, np.uint8), np.zeros((256, 3), np.uint8))
    with pytest.raises(DataError, match="changed since it was sealed") as caught:
        run(*told, "stage=labels")
    assert caught.value.path == path
    assert not (tmp_path / "run/round_00/labels").exists()


def test_labels_of_later_rounds_are_made_from_the_masks_that_are_sealed(told, finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder)
    shutil.rmtree(folder / "round_01")
    path = folder / f"masks/{IDS[1]}.png"
    before = path.read_bytes()
    write_indexed_png(path, np.full((64, 96), 254, np.uint8), np.zeros((256, 3), np.uint8))
    with pytest.raises(DataError, match=r"changed since it was sealed.*stage=masks makes it again"):
        run(*told, "stage=labels", "round=1")
    path.write_bytes(before)
    assert run(*told, "stage=labels", "round=1") == []
    assert_same_maps(folder, finished_run[0])
    inputs = json.loads((folder / "round_01/labels/settings.json").read_text())["inputs"]
    assert set(inputs) == {"weights", "masks"}, "no rule of this round reads seeds"


def test_labels_need_no_more_than_their_rules_read(told, finished_run, tmp_path):
    copy_masks(finished_run[0], tmp_path / "run")
    assert run(*told, "stage=masks") == []
    shutil.copytree(finished_run[0] / "seeds", tmp_path / "run/seeds")
    (tmp_path / f"run/masks/{IDS[1]}.png").unlink()
    assert run(*told, "stage=labels", "labels.rules.mask_merge=null") == []


def test_other_settings_are_refused_by_name(told, finished_run, tmp_path):
    copy_masks(finished_run[0], tmp_path / "run")
    for change in ("masks.min_box=5", "data.crop.width=61"):
        with pytest.raises(RunError, match=rf"{change.partition('=')[0]}: \d+ then, {change.partition('=')[2]} now"):
            run(*told, "stage=masks", change)


def copy_masks(finished, run_folder):
    """A run folder as it is when masks are made."""
    run_folder.mkdir()
    for name in ("annotations", "masks"):
        shutil.copytree(finished / name, run_folder / name)
    shutil.copy(finished / "weak_annotations.json", run_folder)


@pytest.mark.parametrize(("stage", "remedy"), [("segmenter", "stage=labels"), ("scores", "stage=segmenter")])
def test_a_stage_whose_input_is_missing_names_the_one_that_makes_it(told, stage, remedy):
    with pytest.raises(WeakpanError, match=remedy):
        run(*told, f"stage={stage}")


def test_more_can_be_asked_for_later(told, finished_run, tmp_path, caplog):
    """Audits of maps; labels, which are not made again, as COCO."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder)
    before = times(folder)
    for stage in ("masks", "seeds"):
        assert run(*told, f"stage={stage}", "audit=true", "pictures=1") == []
        assert json.loads((folder / f"audit/{stage}.json").read_text())["images"] == len(IDS)
    assert run(*told, "stage=labels", "audit=true", "coco=true") == []
    assert "made without audit=true" in caplog.text
    assert times(folder).items() >= before.items()
    coco = CocoPanoptic(folder / "round_00/panoptic.json", TOY_CITY)
    for image_id in IDS:
        semantic = read_map(folder / f"round_00/labels/{image_id}_semantic.png")
        np.testing.assert_array_equal(coco.truth(image_id).semantic, semantic)


def test_labels_with_their_audit(told, finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder)
    for name in ("round_00", "round_01"):
        shutil.rmtree(folder / name / "labels")
    (folder / "round_00/last.ckpt").rename(folder / "kept.ckpt")
    assert run(*told, "stage=labels", "audit=true", "pictures=1") == []
    (folder / "kept.ckpt").rename(folder / "round_00/last.ckpt")
    assert run(*told, "stage=labels", "round=1", "audit=true", "pictures=1") == []
    assert_same_maps(folder, finished_run[0])
    for name in ("round_00", "round_01"):
        found = {path.name for path in (folder / name / "audit").iterdir()}
        assert found >= {"changes.csv", f"{IDS[0]}_panel.png", *(f"{image_id}_rules.png" for image_id in IDS)}


def test_scores_of_a_round_alone(told, finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(weakpan.stages.score, "ProcessPoolExecutor", InlineExecutor)
    shutil.copytree(finished_run[0], tmp_path / "run")
    assert run(*told, "stage=scores", "round=1") == []
    scores = json.loads((tmp_path / "run/round_01/scores.json").read_text())
    assert scores == {key: finished_run[1]["rounds"][1][key] for key in ("val", "held_out")}
