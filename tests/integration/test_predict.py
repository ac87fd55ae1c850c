"""predict.py on a tiny run: what it writes, that its scores are the run's, and what it refuses before it starts."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from tests.integration.scripts import ROOT, Script, environment, run_script
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError, DataError, DiskFullError, RunError, one_line
from weakpan.config.predict import PredictConfig, to_predict_config
from weakpan.data.formats.coco import CocoImage, CocoPanoptic
from weakpan.predict.photographs import open_source
from weakpan.predict.result_folder import ResultFolder
from weakpan.predict.run import predict
from weakpan.predict.trained import find_trained
from weakpan.training.prediction import Prediction


def settings(**values: Any) -> PredictConfig:
    """Checked as from the command line; no loader processes, no pictures."""
    return to_predict_config(OmegaConf.create({"workers": 0, "overlays": False, **values}))


def files_in(folder: Path) -> list[Path]:
    """All below it but the lock, which stays."""
    return sorted(path for path in folder.rglob("*") if path.name != ".lock")


def photograph(path: Path, height: int, width: int, mode: str = "RGB", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(height * 1000 + width)
    Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).convert(mode).save(path, **options)
    return path


def copy_of(run: Path, to: Path) -> Path:
    """The parts of a run that predictions need: finished rounds with their weights."""
    for name in ("round_00", "round_01"):
        shutil.copytree(run / name, to / name, ignore=shutil.ignore_patterns("labels"))
    return to


def weights_about(run: Path, path: Path, **about: Any) -> Path:
    """Weights of the last round of a run, with some things said otherwise of them."""
    content = torch.load(run / "round_01" / "last.ckpt", weights_only=True)
    content["weakpan"].update(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def check_files(out: Path) -> dict[str, Any]:
    """Every PNG and the JSON say the same; returns the JSON."""
    content = json.loads((out / "panoptic.json").read_text())
    images = {i["id"]: i for i in content["images"]}
    categories = {c["id"] for c in content["categories"]}
    assert sorted(p.name for p in (out / "panoptic").iterdir()) == sorted(f"{i}.png" for i in images)
    for annotation in content["annotations"]:
        image = images.pop(annotation["image_id"])
        with Image.open(out / "panoptic" / annotation["file_name"]) as png:
            assert png.size == (image["width"], image["height"])
            ids = np.asarray(png).astype(int) @ [1, 256, 65536]
        records = {s["id"]: s for s in annotation["segments_info"]}
        assert set(np.unique(ids)) - {0} == set(records)
        for number, record in records.items():
            rows, columns = np.nonzero(ids == number)
            x, y, wide, tall = record["bbox"]
            assert record["area"] == len(rows)
            assert (x, y, x + wide - 1, y + tall - 1) == (columns.min(), rows.min(), columns.max(), rows.max())
            assert record["category_id"] in categories
            assert record["iscrowd"] == 0
            assert 0 <= record["score"] <= 1
        again = CocoPanoptic(out / "panoptic.json", TOY_CITY).read(annotation["image_id"])
        np.testing.assert_array_equal(again.ids, ids)
        assert [s.segment_id for s in again.segments] == list(records)
    assert not images
    return content


@pytest.fixture(scope="session")
def val_predicted(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `split=val`, from the command line, started elsewhere."""
    folder = tmp_path_factory.mktemp("elsewhere")
    done = run_script("predict.py", f"run={tiny_run}", "split=val", "out=results", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "image 4/4" in done.stdout
    assert [p.name for p in folder.iterdir()] == ["results"], "nothing but the results may be left behind"
    return folder / "results"


def test_a_split_has_the_scores_of_the_run(tiny_run: Path, val_predicted: Path) -> None:
    scores = json.loads((val_predicted / "scores.json").read_text())
    rounds = json.loads((tiny_run / "metrics.json").read_text())["rounds"]
    assert scores["images"] == 4
    assert scores["miou"] > 0
    assert scores == rounds[-1]["val"]


def test_a_split_is_written_as_coco_panoptic_with_pictures(val_predicted: Path) -> None:
    content = check_files(val_predicted)
    assert len(content["annotations"]) == 4
    assert sum(len(a["segments_info"]) for a in content["annotations"]) > 4
    assert content["info"]["round"] == 1
    assert content["images"][0]["file_name"].startswith("leftImg8bit/val/")
    for image in content["images"]:
        with Image.open(val_predicted / "overlays" / f"{image['id']}.jpg") as picture:
            assert picture.size == (image["width"], image["height"])


def test_a_folder_of_mixed_photographs(tiny_run: Path, tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    photos = tmp_path / "photos"
    photograph(photos / "b.png", 70, 33, "RGBA")
    photograph(photos / "x" / "a.JPG", 40, 64, exif=turned)
    photograph(photos / "x" / "y" / "c.bmp", 1, 1)
    photograph(photos / "d.webp", 97, 131)
    photograph(photos / "e.tif", 50, 50, "L")
    predict(settings(run=str(tiny_run), input=str(photos), out=str(tmp_path / "out")))
    content = check_files(tmp_path / "out")
    assert {i["id"]: (i["file_name"], i["height"], i["width"]) for i in content["images"]} == {
        "a": ("x/a.JPG", 64, 40),  # upright
        "b": ("b.png", 70, 33),
        "c": ("x/y/c.bmp", 1, 1),
        "d": ("d.webp", 97, 131),
        "e": ("e.tif", 50, 50),
    }
    assert [i["id"] for i in content["images"]] == ["a", "b", "c", "d", "e"]
    assert [p.name for p in files_in(tmp_path / "out") if p.parent == tmp_path / "out"] == [
        "panoptic",
        "panoptic.json",
        "predict.settings.json",
    ]


def test_a_round_and_its_checkpoint_are_the_same(tiny_run: Path, val_predicted: Path, tmp_path: Path) -> None:
    predict(settings(run=str(tiny_run), round=0, split="val", out=str(tmp_path / "by_round")))
    checkpoint = tiny_run / "round_00" / "last.ckpt"
    predict(settings(checkpoint=str(checkpoint), split="val", out=str(tmp_path / "by_file")))
    by_round, by_file = (json.loads((tmp_path / n / "panoptic.json").read_text()) for n in ("by_round", "by_file"))
    assert by_round == by_file
    assert by_round["info"]["round"] == 0
    assert by_round["annotations"] != json.loads((val_predicted / "panoptic.json").read_text())["annotations"]
    first = json.loads((tiny_run / "metrics.json").read_text())["rounds"][0]
    assert json.loads((tmp_path / "by_round" / "scores.json").read_text()) == first["val"]


def test_a_split_without_all_real_labels_has_no_scores(
    tiny_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "weakpan")
    root = tmp_path / "data"
    shutil.copytree(tiny_run.parent / "data" / "leftImg8bit" / "val", root / "leftImg8bit" / "val")
    predict(settings(run=str(tiny_run), split="val", data_root=str(root), out=str(tmp_path / "out")))
    assert "no scores" in caplog.text
    assert not (tmp_path / "out" / "scores.json").exists()
    assert len(check_files(tmp_path / "out")["images"]) == 4


def test_a_checkpoint_stands_alone(
    tiny_run: Path, val_predicted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "somebody" / "street.ckpt"
    elsewhere.parent.mkdir()
    shutil.copy(tiny_run / "round_01" / "last.ckpt", elsewhere)
    monkeypatch.chdir(tmp_path)
    asked = settings(checkpoint="somebody/street.ckpt", split="val", out="out")
    predict(asked)
    mine, theirs = (json.loads((f / "panoptic.json").read_text()) for f in (Path("out"), val_predicted))
    assert mine["annotations"] == theirs["annotations"]
    assert mine["info"] == {**theirs["info"], "checkpoint": "street.ckpt"}
    assert mine["info"]["supervision"]
    assert find_trained(asked).content.data["root"] == str(tiny_run.parent / "data")


def test_a_data_set_that_has_moved_is_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    data = torch.load(tiny_run / "round_01" / "last.ckpt", weights_only=True)["weakpan"]["data"]
    moved = weights_about(tiny_run, tmp_path / "a.ckpt", data={**data, "root": str(tmp_path / "gone")})
    asked = {"checkpoint": str(moved), "split": "val", "out": str(tmp_path / "out")}
    refused(asked, DataError, str(tmp_path / "gone"), "data_root=FOLDER")
    found = settings(**asked, data_root=str(tiny_run.parent / "data"))
    assert len(open_source(found, find_trained(found)).ids) == 4


def test_a_list_that_the_run_was_scored_on_counts_here_too(tiny_run: Path, tmp_path: Path) -> None:
    data = torch.load(tiny_run / "round_01" / "last.ckpt", weights_only=True)["weakpan"]["data"]
    listed = {**data, "listed": {"val": ["toyville_500002_000019"]}}
    checkpoint = str(weights_about(tiny_run, tmp_path / "a.ckpt", data=listed))
    asked = settings(checkpoint=checkpoint, split="val", out=str(tmp_path / "out"))
    assert open_source(asked, find_trained(asked)).ids == ("toyville_500002_000019",)
    other = settings(checkpoint=checkpoint, split="train", out=str(tmp_path / "out"))
    assert len(open_source(other, find_trained(other)).ids) == 8


def test_code_that_a_checkpoint_names_is_run_only_if_its_package_is_trusted(tiny_run: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "photos" / "a.png", 20, 20)
    module = torch.load(tiny_run / "round_01" / "last.ckpt", weights_only=True)["weakpan"]["module"]
    base = {"input": str(tmp_path / "photos"), "out": str(tmp_path / "out")}
    for place, value in (("_target_", "posixpath.exists"), ("decoder", {"_target_": "os.system", "command": "true"})):
        evil = weights_about(tiny_run, tmp_path / "a.ckpt", module={**module, place: value})
        refused({**base, "checkpoint": str(evil)}, ConfigError, "would be run", "trust=[")
    leaking = weights_about(tiny_run, tmp_path / "b.ckpt", module={**module, "flip_average": "${oc.env:HOME}"})
    refused({**base, "checkpoint": str(leaking)}, ConfigError, "flip_average", "not interpolations")


def refused(asked: dict[str, Any], kind: type[Exception], *parts: str) -> None:
    """Predicting raises one clear error and has written nothing."""
    out = Path(asked["out"])
    before = files_in(out)
    with pytest.raises(kind) as error:
        predict(settings(**asked))
    for part in parts:
        assert part in str(error.value)
    assert files_in(out) == before


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({"run": "r"}, ("input=", "split=")),
        ({"run": "r", "input": "i", "split": "val"}, ("input=", "split=")),
        ({"input": "i"}, ("run=", "checkpoint=")),
        ({"run": "r", "checkpoint": "c", "input": "i"}, ("run=", "checkpoint=")),
        ({"checkpoint": "c", "round": 1, "input": "i"}, ("round=1", "checkpoint=c")),
        ({"run": "r", "input": "i", "data_root": "d"}, ("data_root=d", "input")),
        ({"run": "r", "input": "i", "workers": -1}, ("workers=-1",)),
        ({"run": "r", "input": "i", "round": -1}, ("round=-1",)),
    ],
)
def test_keys_at_odds_are_refused(tmp_path: Path, asked: dict[str, Any], parts: tuple[str, ...]) -> None:
    refused({**asked, "out": str(tmp_path / "out")}, ConfigError, *parts)


def test_bad_places_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    photos, out, run = tmp_path / "photos", str(tmp_path / "out"), str(tiny_run)
    photograph(photos / "a.png", 20, 20)
    base = {"run": run, "input": str(photos), "out": out}
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")

    refused({**base, "out": str(photos)}, RunError, f"out={photos}", "a.png")
    refused({**base, "out": str(tmp_path / "file/below")}, RunError, f"out={tmp_path / 'file/below'}")
    refused({**base, "out": str(tmp_path / "file")}, RunError, f"out={tmp_path / 'file'}")
    refused({**base, "input": str(tmp_path / "empty")}, DataError, f"input={tmp_path / 'empty'}", "no image")
    refused({**base, "run": str(tmp_path / "gone")}, RunError, f"run={tmp_path / 'gone'}", "no such folder")
    refused({**base, "run": str(photos)}, RunError, f"run={photos}", "no round of it is finished")
    refused({**base, "round": 7}, RunError, "round=7", "0, 1")
    assert not Path(out).exists(), "nothing is made for a command that is refused"
    refused({"run": run, "split": "night", "out": out}, DataError, "split=night", "no image of the data set")
    refused({**base, "input": None, "split": "val", "data_root": str(tmp_path / "gone")}, DataError, "data_root=")
    by_file = {"input": str(photos), "out": out}
    refused({**by_file, "checkpoint": str(tmp_path / "gone.ckpt")}, DataError, "checkpoint=", "no such checkpoint")


def test_damaged_and_doubled_photographs_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    for name in ("cut", "twice"):
        photograph(tmp_path / name / "a.png", 20, 20)
    cut = photograph(tmp_path / "cut" / "b.jpg", 60, 60)
    cut.write_bytes(cut.read_bytes()[:-200])
    twin = photograph(tmp_path / "twice" / "sub" / "a.jpg", 20, 20)
    base = {"run": str(tiny_run), "out": str(tmp_path / "out")}
    refused({**base, "input": str(tmp_path / "cut")}, DataError, str(cut), "truncated")
    refused({**base, "input": str(tmp_path / "twice")}, DataError, str(twin), str(tmp_path / "twice" / "a.png"))


def test_runs_that_are_not_ready_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "photos" / "a.png", 20, 20)
    run = copy_of(tiny_run, tmp_path / "run")
    base = {"run": str(run), "input": str(tmp_path / "photos"), "out": str(tmp_path / "out")}

    weights = run / "round_01" / "last.ckpt"
    shutil.copy(tiny_run / "classifier" / "last.ckpt", weights)
    refused(base, DataError, str(weights), "holds a classifier, expected a segmenter")
    weights.write_bytes(weights.read_bytes()[:1000])
    refused(base, DataError, str(weights), "not a readable checkpoint", "round=N", "train.py")
    content = bytearray((tiny_run / "round_01" / "last.ckpt").read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    refused(base, DataError, str(weights), "does not fit its checksum", "round=N", "train.py")
    torch.save({"state_dict": {}}, weights)
    refused(base, DataError, str(weights), "whole, but not a checkpoint of weakpan")
    weights.unlink()
    refused(base, DataError, str(weights), "no such checkpoint", "round=N")

    classes = torch.load(tiny_run / "round_01" / "last.ckpt", weights_only=True)["weakpan"]["classes"]
    weights_about(tiny_run, weights, version=99)
    refused(base, DataError, str(weights), "version 99", "this weakpan reads")
    weights_about(tiny_run, weights, classes={**classes, "classes": classes["classes"][:-1]})
    refused(base, DataError, str(weights), "weights of another network")
    weights_about(tiny_run, weights, classes=5)
    refused(base, DataError, str(weights), "damaged head")

    (run / "round_00" / "manifest.json").unlink()
    refused(base, RunError, f"run={run}", "no round of it is finished")


def test_a_photograph_that_proves_damaged_on_the_way_is_named_in_one_line(tiny_run: Path, tmp_path: Path) -> None:
    path = photograph(tmp_path / "photos" / "a.png", 60, 60)
    content = bytearray(path.read_bytes())
    content[60:400] = bytes(340)  # the end marker is there, the pixels are not
    path.write_bytes(content)
    out = tmp_path / "out"
    with pytest.raises(DataError) as error:
        predict(settings(run=str(tiny_run), input=str(path.parent), out=str(out), workers=1))
    assert "\n" in str(error.value), "a loader process sends its traceback along"
    assert one_line(str(error.value)) == f"{path}: not a readable image; it may be truncated: write it again"
    assert not (out / "panoptic.json").exists()


def test_photographs_that_cannot_be_read_are_left_out_where_that_is_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("good", "cut", "scratched"):
        photograph(photos / f"{name}.png", 60, 60)
    (photos / "cut.png").write_bytes((photos / "good.png").read_bytes()[:2000])
    content = bytearray((photos / "good.png").read_bytes())
    content[60:400] = bytes(340)
    (photos / "scratched.png").write_bytes(content)
    out = tmp_path / "out"
    done = run_script("predict.py", f"run={tiny_run}", f"input={photos}", f"out={out}", "on_error=skip", "workers=0")
    assert done.returncode == 3, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith(("error", "not done"))]
    assert said == [
        f"not done: cut: {photos / 'cut.png'}: the PNG ends early; it is truncated: write it again",
        f"not done: scratched: {photos / 'scratched.png'}: not a readable image; it may be truncated: write it again",
    ]
    assert [image["id"] for image in check_files(out)["images"]] == ["good"]
    (photos / "good.png").unlink()
    asked = {"run": str(tiny_run), "input": str(photos), "out": str(tmp_path / "nothing"), "on_error": "skip"}
    refused(asked, DataError, "none of 2 photographs can be read", "cut.png")


def test_on_several_devices_none_is_left_out(tiny_run: Path, tmp_path: Path) -> None:
    two = {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}
    out = tmp_path / "out"
    asked = settings(run=str(tiny_run), split="val", out=str(out), on_error="skip", trainer=two)
    with pytest.raises(ConfigError, match=r"on_error=skip: with 2 devices: .* add trainer\.devices=1"):
        predict(asked)
    assert not out.exists()


def test_scores_are_of_the_images_that_can_be_read(tiny_run: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for folder in ("leftImg8bit", "gtFine"):
        shutil.copytree(tiny_run.parent / "data" / folder / "val", root / folder / "val")
    damaged = sorted((root / "gtFine").rglob("*_instanceIds.png"))[1]
    damaged.write_bytes(damaged.read_bytes()[:100])
    out = str(tmp_path / "out")
    failures = predict(settings(run=str(tiny_run), split="val", data_root=str(root), out=out, on_error="skip"))
    assert [image_id for image_id, _ in failures] == [damaged.name.removesuffix("_gtFine_instanceIds.png")]
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["images"] == 3
    assert len(check_files(tmp_path / "out")["images"]) == 3


def test_photographs_that_the_trainer_leaves_out_are_noticed(tiny_run: Path, tmp_path: Path) -> None:
    asked = settings(run=str(tiny_run), split="val", out=str(tmp_path / "out"), trainer={"limit_predict_batches": 1})
    with pytest.raises(RunError, match="only 1 of 4"):
        predict(asked)
    assert not (tmp_path / "out" / "panoptic.json").exists()


def interrupted(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Predict until so many images are written, and end as by a kill: nothing is put in order."""
    write, written = ResultFolder.write, []

    def dies(folder: ResultFolder, prediction: Prediction, *more: Any) -> CocoImage:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(prediction.image_id)
        return write(folder, prediction, *more)

    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "write", dies)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            predict(settings(**asked))
    assert len(written) == after


def test_the_same_command_goes_on_after_an_interruption(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "weakpan")
    asked = {"run": str(tiny_run), "split": "val", "out": str(tmp_path / "whole"), "overlays": True}
    predict(settings(**asked))
    whole, out = Path(asked["out"]), tmp_path / "out"
    asked = {**asked, "out": str(out)}
    interrupted(asked, monkeypatch, after=3)
    assert not (out / "panoptic.json").exists()

    # A torn map, a torn picture; the third is whole and not made again.
    torn, lacking, good = sorted((out / "panoptic").iterdir())
    torn.write_bytes(torn.read_bytes()[:-40])
    picture = out / "overlays" / f"{lacking.stem}.jpg"
    picture.write_bytes(picture.read_bytes()[:50])
    (out / "panoptic" / ".a.17-0123abcd.png").write_bytes(b"a writer that was killed")
    before = good.stat().st_mtime_ns, torn.stat().st_mtime_ns
    for other, said in (({"overlays": False}, "overlays"), ({"round": 0}, "checkpoint content")):
        refused({**asked, **other}, RunError, "was made with other settings", said)
    refused({**asked, "split": "train"}, RunError, "'val' then, 'train' now")

    caplog.clear()
    predict(settings(**asked))
    assert "1 of them are there already" in caplog.text
    assert (good.stat().st_mtime_ns == before[0], torn.stat().st_mtime_ns == before[1]) == (True, False)
    names = [str(p.relative_to(whole)) for p in files_in(whole)]
    assert [str(p.relative_to(out)) for p in files_in(out)] == names
    for name in names:
        if (whole / name).is_file():
            assert (out / name).read_bytes() == (whole / name).read_bytes(), name

    # Finished: the same command says so, another one is refused.
    predict(settings(**asked))
    assert f"finished already: {out / 'panoptic.json'}" in caplog.text
    refused({**asked, "round": 0}, RunError, "was made with other settings")


def test_what_an_interruption_left_unwritten_is_no_more_than_the_last_file(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    for name in "ab":
        photograph(photos / f"{name}.png", 40, 50)
    asked = {"run": str(tiny_run), "input": str(photos), "out": str(out)}
    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "finish", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            predict(settings(**asked))
    # Nothing is left to predict, so that no weights are needed either.
    monkeypatch.setattr("weakpan.predict.trained.Trained.load", lambda _: pytest.fail("it was loaded"))
    predict(settings(**asked))
    assert [i["id"] for i in check_files(out)["images"]] == ["a", "b"]
    assert not (out / "unfinished").exists()
    photograph(photos / "c.png", 40, 50)
    refused(asked, RunError, "images listed", "2 ids", "3 ids")


def unfinished(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> dict[str, Any]:
    """Three photographs, all of them predicted and panoptic.json not yet written; returns what was asked for."""
    photos = tmp_path / "photos"
    for name in "abc":
        photograph(photos / f"{name}.png", 40, 60)
    asked = {"run": str(tiny_run), "input": str(photos), "out": str(tmp_path / "out"), **more}
    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "finish", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            predict(settings(**asked))
    return asked


def test_photographs_that_changed_and_damaged_records_are_predicted_again(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = unfinished(tiny_run, tmp_path, monkeypatch)
    (tmp_path / "photos" / "a.png").unlink()
    photograph(tmp_path / "photos" / "a.jpg", 100, 200)
    part = tmp_path / "out" / "unfinished" / "b.json"
    content = json.loads(part.read_text())
    part.write_text(json.dumps({**content, "segments": [{}]}))
    written = []
    write = ResultFolder.write
    monkeypatch.setattr(ResultFolder, "write", lambda f, p, *more: written.append(p.image_id) or write(f, p, *more))
    predict(settings(**asked))
    assert written == ["a", "b"]
    images = check_files(tmp_path / "out")["images"]
    assert [(i["file_name"], i["height"], i["width"]) for i in images] == [
        ("a.jpg", 100, 200),
        ("b.png", 40, 60),
        ("c.png", 40, 60),
    ]
    photograph(tmp_path / "photos" / "c.jpg", 40, 60)
    (tmp_path / "photos" / "c.png").unlink()
    refused(asked, RunError, "c was c.png then, c.jpg now", "new folder")


@pytest.mark.parametrize("damage", [{"annotations": []}, {"annotations": [], "images": [{}]}, {"annotations": [5]}])
def test_a_damaged_panoptic_json_is_named(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: dict[str, Any]
) -> None:
    asked = unfinished(tiny_run, tmp_path, monkeypatch)
    (tmp_path / "out" / "panoptic.json").write_text(json.dumps(damage))
    refused(asked, DataError, str(tmp_path / "out" / "panoptic.json"))


def test_finished_means_that_every_file_is_there_and_whole(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = unfinished(tiny_run, tmp_path, monkeypatch, overlays=True)
    predict(settings(**asked))
    (tmp_path / "out/overlays/c.jpg").unlink()
    refused(asked, RunError, f"{tmp_path / 'out/overlays/c.jpg'}: no such image", "delete", "new folder")
    torn = tmp_path / "out/panoptic/b.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    refused(asked, RunError, f"{torn}: ", "delete", "new folder")


def test_a_full_disk_is_told_with_the_image_and_leaves_no_claim(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "photos" / "a.png", 40, 60)
    asked = {"run": str(tiny_run), "input": str(tmp_path / "photos"), "out": str(tmp_path / "out"), "overlays": True}
    full = OSError(errno.ENOSPC, "No space left on device")
    for broken, words in (("write_jpeg", ("at image a", "a.jpg")), ("write_panoptic_json", ("panoptic.json",))):

        def refuse(path: Path, *_: Any) -> None:
            full.filename = str(path)
            raise full

        with monkeypatch.context() as patch:
            patch.setattr(f"weakpan.predict.result_folder.{broken}", refuse)
            with pytest.raises(DiskFullError, match=r"no space left on file system .* make room and start") as error:
                predict(settings(**asked))
        assert all(word in str(error.value) for word in words)
        if broken == "write_jpeg":
            assert files_in(tmp_path / "out") == []
            asked["overlays"] = False  # other settings are welcome
    predict(settings(**asked))
    check_files(tmp_path / "out")


def test_a_second_command_on_the_same_folder_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "photos" / "a.png", 40, 60)
    out = tmp_path / "out"
    out.mkdir()
    (out / ".predict.settings.17-0123abcd.json").write_text("left by a writer that was killed")
    hold = (
        "import sys; from pathlib import Path; from weakpan.parallel.run_lock import RunLock\n"
        "RunLock(Path(sys.argv[1])).claim(); print('held', flush=True); sys.stdin.read()"
    )
    asked = {"run": str(tiny_run), "input": str(tmp_path / "photos"), "out": str(out)}
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(out)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        refused(asked, RunError, "another job is working on this out folder", f"process {other.pid}", "out=FOLDER")
        assert other.stdin is not None
        other.stdin.close()
    predict(settings(**asked))
    assert len(check_files(out)["images"]) == 1
    assert not list(out.glob(".predict*"))


def test_names_that_not_every_system_takes_are_refused_before_work(tiny_run: Path, tmp_path: Path) -> None:
    path = photograph(tmp_path / "photos" / "a\\b.png", 40, 60)
    asked = {"run": str(tiny_run), "input": str(tmp_path / "photos"), "out": str(tmp_path / "out")}
    refused(asked, DataError, str(path), "no plain file name", "rename")


@pytest.mark.parametrize("finished", [False, True])
def test_ranks_of_a_launcher_agree_on_what_is_left(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """Rank 1 comes late, when rank 0 alone would have finished and tidied up under its eyes."""
    asked = unfinished(tiny_run, tmp_path, monkeypatch)
    if finished:
        predict(settings(**asked))
    given = [f"{key}={value}" for key, value in asked.items()]
    given += ["workers=0", "overlays=false", "trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp"]
    ranks = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    torchrun = {**common, "TORCHELASTIC_RUN_ID": "none", "GROUP_RANK": "0"}
    with (tmp_path / "said").open("w+b") as said:
        for rank in ("0", "1"):
            env = environment(**torchrun, RANK=rank, LOCAL_RANK=rank)
            ranks.append(Script(["predict.py", *given], said.fileno(), said.fileno(), env=env))
            if rank == "0":
                time.sleep(3)
                alone = ranks[0].poll(), (tmp_path / "out" / "unfinished").exists()
        try:
            assert alone == (None, not finished), "rank 0 decides nothing before rank 1 is there"
            assert [rank.wait(120) for rank in ranks] == [0, 0], (tmp_path / "said").read_text()
        finally:
            for rank in ranks:
                if rank.poll() is None:
                    rank.kill()
    assert len(check_files(tmp_path / "out")["images"]) == 3
    assert ("finished already" in (tmp_path / "said").read_text()) == finished
    assert not (tmp_path / "out" / "unfinished").exists()


def test_devices_that_are_not_there_are_a_matter_of_the_configuration(tiny_run: Path, tmp_path: Path) -> None:
    asked = settings(run=str(tiny_run), split="val", out=str(tmp_path / "out"), trainer={"accelerator": "abacus"})
    with pytest.raises(ConfigError, match="trainer=cpu"):
        predict(asked)


def test_an_error_is_one_line_and_status_2(tiny_run: Path, tmp_path: Path) -> None:
    done = run_script(
        "predict.py", f"run={tiny_run}", "split=night", f"out={tmp_path / 'out'}", "trainer=cpu", "trainer.devices=1"
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line != "weakpan: loading"]
    assert len(lines) == 1
    assert lines[0].startswith("error: split=night")


@pytest.mark.slow
def test_two_ranks_write_what_one_writes(tiny_run: Path, val_predicted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_script(
        "predict.py",
        f"run={tiny_run}",
        "split=val",
        f"out={out}",
        "trainer=cpu",
        "trainer.devices=2",
        "trainer.strategy=ddp",
    )
    assert done.returncode == 0, done.stderr
    one, two = check_files(val_predicted), check_files(out)
    assert [i["id"] for i in one["images"]] == [i["id"] for i in two["images"]]
    for png in (val_predicted / "panoptic").iterdir():
        assert png.read_bytes() == (out / "panoptic" / png.name).read_bytes()
    for mine, theirs in zip(one["annotations"], two["annotations"], strict=True):
        for a, b in zip(mine["segments_info"], theirs["segments_info"], strict=True):
            assert {**a, "score": 0} == {**b, "score": 0}
            # The number of threads decides the order of sums.
            assert a["score"] == pytest.approx(b["score"], rel=1e-5)
    assert json.loads((out / "scores.json").read_text()) == json.loads((val_predicted / "scores.json").read_text())
