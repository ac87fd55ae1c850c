"""What make_gt.py refuses or skips: one clear message each, and the rest is done where that was asked for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from tests.integration.make_gt_in_process import finished, nothing_made, run, script
from tests.integration.released_files import GRID, SUFFIX, random_frame, save, write_tree, write_truth
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError, RunError

IDS = ("town_a", "town_b", "town_c")
BAD = "town_b"
LABELS = ("stage=labels", "round=1")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Three images with everything, boxes both as maps and as MATLAB files."""
    folder, rng = tmp_path_factory.mktemp("pristine"), np.random.default_rng(5)
    frames = [random_frame(rng, image_id, CITYSCAPES, 50, 70) for image_id in IDS]
    write_tree(folder / "data", folder / "results", frames, CITYSCAPES, "train_ids", rng)
    for frame in frames:
        write_truth(folder / "data", frame, CITYSCAPES, "mat", rng)
        path = folder / f"data/leftImg8bit/train/town/{frame.image_id}{SUFFIX}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    (folder / "ids.txt").write_text("\n".join(IDS))
    return folder


@pytest.fixture
def tree(tmp_path, pristine):
    """Links to it; what is to be damaged is taken away first."""
    shutil.copytree(pristine, tmp_path / "tree", copy_function=os.link)
    return tmp_path / "tree"


@pytest.fixture
def told(tree):
    return (
        "layout=released", "data=cityscapes", f"data.root={tree / 'data'}",
        f"data.train_list={tree / 'ids.txt'}", f"run={tree / 'out'}",
        f"data.crop.height={GRID.height}", f"data.crop.width={GRID.width}",
    )  # fmt: skip


FILES = {
    "prediction": f"results/pred_sem_raw/{BAD}{SUFFIX}.png",
    "cam": f"results/cam/train/{BAD}{SUFFIX}.png",
    "masks": f"results/mcg_and_grabcut/train/{BAD}{SUFFIX}.png",
    "scores": f"results/pred_flat_feat/{BAD}{SUFFIX}.mat",
    "boxes": f"data/gtFine_bboxes/train/panoptic/{BAD}{SUFFIX}.mat",
    "instances": f"data/gtFine/train/town/{BAD}_gtFine_instanceTrainIds.png",
    "labels": f"data/gtFine/train/town/{BAD}_gtFine_labelTrainIds.png",
    "image": f"data/leftImg8bit/train/town/{BAD}{SUFFIX}.png",
}


def cut(path):
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def text(path):
    path.unlink()
    path.write_text("no image, whatever its name says")


def values(**changes):
    """Another map: pixels set to a value, another size or depth."""

    def change(path):
        found = np.full((50, 70), 0) if changes.get("shape") is None else np.zeros(changes["shape"])
        found = found.astype(changes.get("dtype", np.uint8))
        found[3, 4] = changes.get("value", 0)
        path.unlink()
        save(path, found)

    return change


def mat(**content):
    def change(path):
        path.unlink()
        scipy.io.savemat(path, content)

    return change


def box(name="car", corners=("1", "1", "9", "9"), fields=("name", "bndbox", "is_grp", "is_stuff"), **more):
    content = {
        "name": name, "bndbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)),
        "is_grp": "0", "is_stuff": "0", **more,
    }  # fmt: skip
    return mat(dets={"annotation": {"object": {f: content[f] for f in fields}}})


def gone(path):
    path.unlink()


MAT = ("data.boxes=mat",)
CASES = {
    "prediction cut": ("prediction", cut, LABELS, ["not a readable image", "truncated"]),
    "prediction is text": ("prediction", text, LABELS, ["not a readable image"]),
    "prediction of another class": ("prediction", values(value=19), LABELS, ["value 19 has no meaning", "0 to 18"]),
    "prediction of 16 bits": ("prediction", values(dtype=np.uint16), LABELS, ["values of type uint16", "8 bits"]),
    "prediction of another size": ("prediction", values(shape=(49, 70)), LABELS, ["50 x 70", "49 x 70"]),
    "prediction in colour": ("prediction", values(shape=(50, 70, 3)), LABELS, ["one channel"]),
    "cam is text": ("cam", text, ("stage=labels", "round=0"), ["not a readable image"]),
    "masks of stuff": ("masks", values(value=3), LABELS, ["value 3 has no meaning", "train ids of things"]),
    "masks of another size": ("masks", values(shape=(50, 71)), LABELS, ["masks has shape (50, 71)", BAD]),
    "masks cut": ("masks", cut, LABELS, ["not a readable image"]),
    "scores without feat": ("scores", mat(score=np.zeros((50, 70))), LABELS, ["no variable 'feat'", "'score'"]),
    "scores of another shape": ("scores", mat(feat=np.zeros((70, 50))), LABELS, ["feat is 70 x 50", "50 x 70"]),
    "scores that are none": ("scores", mat(feat=np.full((50, 70), 3.0)), LABELS, ["from 3 to 3", "0 to 1"]),
    "scores cut": ("scores", cut, LABELS, ["damaged or truncated MATLAB file"]),
    "scores are text": ("scores", text, LABELS, ["not a MATLAB file"]),
    "boxes without dets": ("boxes", mat(boxes={"a": 1}), (*LABELS, *MAT), ["no variable 'dets'"]),
    "boxes without corners": ("boxes", box(fields=("name", "is_grp", "is_stuff")), (*LABELS, *MAT),
                              ["object(1) (car): no field 'bndbox'"]),
    "boxes without annotation": ("boxes", mat(dets={"a": 1}), (*LABELS, *MAT), ["no field 'annotation'"]),
    "boxes without one corner": ("boxes", box(corners=("1", "1", "9")), (*LABELS, *MAT), ["no field 'ymax'"]),
    "boxes outside the image": ("boxes", box(corners=("1", "1", "70", "9")), (*LABELS, *MAT),
                                ["object(1) (car)", "[1, 1, 70, 9]", "outside its 50 x 70"]),
    "boxes of another class": ("boxes", box("tram"), (*LABELS, *MAT), ["class 'tram' is not in class table"]),
    "boxes of stuff as things": ("boxes", box("road"), (*LABELS, *MAT), ["road is a class of stuff"]),
    "boxes cut": ("boxes", cut, (*LABELS, *MAT), ["damaged or truncated MATLAB file"]),
    "instances of another class": ("instances", values(dtype=np.uint16, value=19002), LABELS, ["train id 19 is out"]),
    "instances cut": ("instances", cut, ("stage=annotations",), ["not a readable image"]),
    "instances of another size": ("instances", values(dtype=np.uint16, shape=(50, 60)), LABELS, ["50 x 60", "50 x 70"]),
    "labels of another class": ("labels", values(value=19), ("stage=annotations",), ["train id 19 is outside"]),
    "labels of 16 bits": ("labels", values(dtype=np.uint16, value=999), ("stage=annotations",),
                         ["train id 999 is outside"]),
    "labels of another size": ("labels", values(shape=(51, 70)), LABELS, ["its tags are of 51 x 70", "50 x 70"]),
    "image cut": ("image", cut, ("stage=masks",), ["ends early", "truncated"]),
    "image is text": ("image", text, ("stage=masks",), ["not a readable image"]),
    "image of another size": ("image", values(shape=(60, 80, 3)), ("stage=masks",), ["60 x 80", "50 x 70"]),
    "no prediction": ("prediction", gone, LABELS, ["pred_sem_raw"]),
    "no scores": ("scores", gone, LABELS, ["pred_flat_feat"]),
    "no masks": ("masks", gone, LABELS, ["mcg_and_grabcut"]),
    "no boxes": ("boxes", gone, (*LABELS, *MAT), ["gtFine_bboxes"]),
    "no instances": ("instances", gone, LABELS, ["instance"]),
    "no image": ("image", gone, ("stage=masks",), ["leftImg8bit"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_bad_file(tree, told, case):
    """Stops with its name; skipped, the others are done and a second attempt with a good file does the rest."""
    kind, damage, stage, parts = CASES[case]
    path = tree / FILES[kind]
    good = path.read_bytes()
    damage(path)
    given = (*told, *stage, *([f"layout.inputs={tree / 'results'}"] if stage[0] == "stage=labels" else []))
    with pytest.raises(DataError) as caught:
        run(*given)
    skipped = run(*given, "on_error=skip")
    assert [image_id for image_id, _ in skipped] == [BAD]
    # The path, or what is wrong with several files of an image together.
    for message in (str(caught.value), skipped[0][1]):
        assert BAD in message
        for part in parts:
            assert part in message
    name = stage[0].partition("=")[2]
    assert not (tree / f"out/{name}.json").exists()
    path.write_bytes(good)
    assert run(*given) == []
    assert json.loads((tree / f"out/{name}.json").read_text())["ids"] == list(IDS)


@pytest.mark.parametrize(
    ("stage", "damaged", "given", "corrected"),
    [
        ("annotations", "instances", (), "data.classes={}/other.json"),
        ("annotations", "labels", (), "data.crop.width=33"),
        ("masks", "image", (), "masks.proposal_weights=null"),
        ("labels", "prediction", ("round=1",), "labels.rules.low_iou_fill.threshold=0.7"),
    ],
)
def test_an_attempt_that_makes_nothing_binds_nobody(tree, told, stage, damaged, given, corrected):
    path = tree / FILES[damaged]
    good = path.read_bytes()
    cut(path)
    (tree / "ids.txt").unlink()
    (tree / "ids.txt").write_text(BAD)
    if damaged == "instances":
        table = {"name": "other", "classes": [
            {"name": c.name, "dataset_id": c.dataset_id, "color": c.color, "thing": c.is_thing}
            for c in CITYSCAPES.classes
        ]}  # fmt: skip
        (tree / "other.json").write_text(json.dumps(table))
    told = (*told, f"stage={stage}", *given, *((f"layout.inputs={tree / 'results'}",) if stage == "labels" else ()))
    with pytest.raises(DataError, match=str(path)):
        run(*told)
    assert not (tree / f"out/{stage}.settings.json").exists()
    path.write_bytes(good)
    assert run(*told, corrected.format(tree)) == []
    with pytest.raises(RunError, match="was made with other settings"):
        run(*told)


def test_nothing_is_made_where_a_file_is_missing(tree, told):
    (tree / FILES["masks"]).unlink()
    with pytest.raises(DataError, match="1 of 3 images lack a file") as caught:
        run(*told, *LABELS, f"layout.inputs={tree / 'results'}")
    assert str(tree / FILES["masks"]) in str(caught.value)
    assert nothing_made(tree / "out")


@pytest.mark.parametrize("stage", ["annotations", "masks", "labels"])
@pytest.mark.parametrize("source", ["maps", "annotations"])
def test_an_image_in_the_list_that_is_nowhere(tree, told, stage, source):
    more = []
    if source == "annotations":
        run(*told, "stage=annotations", f"run={tree / 'first'}")
        file = f"data.weak_annotations={tree / 'first/weak_annotations.json'}"
        more = [file]
    if stage == "labels":
        more += [f"layout.inputs={tree / 'results'}"]
    (tree / "ids.txt").unlink()
    (tree / "ids.txt").write_text("\n".join([*IDS[:2], "ghost", IDS[2]]))
    with pytest.raises(DataError, match="ghost"):
        run(*told, f"stage={stage}", *more)
    (skipped,) = run(*told, f"stage={stage}", *more, "on_error=skip")
    assert skipped[0] == "ghost"
    assert "ghost" in skipped[1]
    name = {"masks": "mcg_and_grabcut/train", "labels": "pred_sem_clean"}.get(stage, stage)
    assert len(list((tree / "out" / name).iterdir())) == 3


REFUSED = {
    "no data.root": ("data.root=gone", DataError, "data.root=gone: no such folder"),
    "a list that is not there": ("data.train_list=gone.txt", DataError, "gone.txt: not readable as a list"),
    "an unknown class table": ("data.classes=animals", DataError, "data.classes=animals: no such class table"),
    "boxes of MATLAB without a list": ("data.train_list=null", ConfigError, "data.boxes=mat: needs a list of images"),
    "no COCO file": ("data.coco=gone.json", DataError, "gone.json: no such file"),
    "no annotation file": ("data.weak_annotations=gone.json", DataError, "gone.json: no such file"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_what_concerns_all_images(tree, told, case, on_error):
    override, error, part = REFUSED[case]
    more = {
        "boxes of MATLAB without a list": ("data.boxes=mat",),
        "no COCO file": ("data.boxes=coco", "data.tags=coco"),
    }.get(case, ())
    with pytest.raises(error, match=part):
        run(*told, *LABELS, f"layout.inputs={tree / 'results'}", *more, override, f"on_error={on_error}")
    assert nothing_made(tree / "out")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("town_a\n../x\n", "image id '../x' is no plain file name"),
        ("/etc/passwd", "image id '/etc/passwd' is no plain file name"),
        ("..", "'..' is no plain file name"), ("town_a\ntown_a", "town_a occurs twice"), ("\n \n", "no image id in it"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_lists(tree, told, content, part, on_error):
    (tree / "ids.txt").unlink()
    (tree / "ids.txt").write_text(content)
    with pytest.raises(DataError) as caught:
        run(*told, "stage=annotations", f"on_error={on_error}")
    assert str(caught.value).startswith(f"{tree / 'ids.txt'}: ")
    assert part in str(caught.value)
    assert nothing_made(tree / "out")


def coco_file(tree, image_id):
    (tree / "coco").mkdir()
    rows = [{"image_id": image_id, "file_name": "a.png", "segments_info": []}]
    cv2.imwrite(str(tree / "coco/a.png"), np.zeros((50, 70, 3), np.uint8))
    (tree / "coco.json").write_text(json.dumps({"annotations": rows, "categories": [], "images": []}))
    return ("data.boxes=coco", "data.tags=coco", f"data.coco={tree / 'coco.json'}", "data.train_list=null")


def test_a_coco_file_without_segments_is_fine(tree, told):
    assert run(*told, "stage=annotations", *coco_file(tree, "x")) == []
    assert json.loads((tree / "out/annotations/x.json").read_text())["boxes"] == []


@pytest.mark.parametrize("image_id", ["../../x", "/tmp/x", ".."])
def test_a_coco_file_whose_ids_lead_out_of_the_folder(tree, told, image_id):
    with pytest.raises(DataError, match="is no plain file name"):
        run(*told, "stage=annotations", *coco_file(tree, image_id), "on_error=skip")
    assert nothing_made(tree / "out")
    assert not list(tree.parent.glob("*.json"))


def test_an_annotation_file_whose_ids_lead_out_of_the_folder(tree, told):
    run(*told, "stage=annotations", f"run={tree / 'first'}")
    path = tree / "first/weak_annotations.json"
    path.write_text(path.read_text().replace('"town_b"', '"../town_b"'))
    given = (f"data.weak_annotations={path}", "data.train_list=null")
    with pytest.raises(DataError, match="an image id is a file name without folder and suffix"):
        run(*told, "stage=annotations", *given, "on_error=skip")


@pytest.mark.parametrize("what", ["a file", "below a file"])
def test_an_out_that_cannot_be_written_to(tree, told, what):
    (tree / "taken").write_text("a file")
    out = tree / "taken" if what == "a file" else tree / "taken/out"
    with pytest.raises(RunError, match=f"run={out}: cannot be written to"):
        run(*told, "stage=annotations", f"run={out}")


def test_boxes_and_tags_of_different_sizes_do_not_become_one_file(tree, told):
    values(shape=(51, 70))(tree / FILES["labels"])
    with pytest.raises(DataError, match=r"image town_b: its tags are of 51 x 70 .* its maps have 50 x 70"):
        run(*told, "stage=annotations")
    assert not (tree / "out/weak_annotations.json").exists()


class TestScript:
    """Exit status and what is printed."""

    def test_skipped_images_are_listed_at_the_end(self, tree, told):
        cut(tree / FILES["prediction"])
        (tree / "ids.txt").unlink()
        (tree / "ids.txt").write_text("\n".join([*IDS, "ghost"]))
        done = finished(
            script(*told, *LABELS, f"layout.inputs={tree / 'results'}", "on_error=skip", "workers=1", folder=tree)
        )
        assert done.returncode == 3
        first, second = done.stderr.strip().splitlines()
        assert first.startswith(f"not done: {BAD}: {tree / FILES['prediction']}: not a readable image")
        assert second.startswith("not done: ghost: ")
        assert "labels: 2 images made in" in done.stdout
        assert "2 could not be done" in done.stdout
        assert sorted(p.name for p in (tree / "out/pred_sem_clean").iterdir()) == [
            f"town_a{SUFFIX}.png", f"town_c{SUFFIX}.png",
        ]  # fmt: skip
        assert sorted(p.name for p in Path(tree).iterdir()) == ["data", "ids.txt", "out", "results"]

    def test_an_error_is_one_line(self, tree, told):
        (tree / "ids.txt").unlink()
        (tree / "ids.txt").write_text("../x")
        done = finished(script(*told, "stage=annotations", folder=tree))
        assert done.returncode == 2
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith(f"error: {tree / 'ids.txt'}: image id '../x' is no plain file name")
        assert nothing_made(tree / "out")

    def test_an_unknown_stage_is_named(self, tree, told):
        done = finished(script(*told, "stage=lables", folder=tree))
        assert done.returncode == 2
        for part in ("stage", "lables", "labels"):
            assert part in done.stderr
        assert "Traceback" not in done.stderr
        assert nothing_made(tree / "out")
