"""make_gt.py stage=masks audit=true: records, scores, restarts, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import weakpan.parallel.sharing
from tests.integration.make_gt_in_process import nothing_made, results, run, settings, times
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError, DataError
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import BoxKind
from weakpan.data.formats.released import ReleasedTree
from weakpan.stages.audit import audit_of
from weakpan.stages.experiment import prepare
from weakpan.toy_city.city import ToyCitySpec, ensure_toy_city

SPEC = ToyCitySpec(height=64, width=96, train=5, val=1)
IDS = [f"toyville_{k:06d}_000019" for k in range(5)]
JOINED = {f"audit/masks{end}" for end in (".json", ".csv", "_worst_boxes.png", "_worst_images.png")}
MAPS = "mcg_and_grabcut/train"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = tmp_path_factory.mktemp("city") / "data"
    ensure_toy_city(root, SPEC, processes=1)
    return root


@pytest.fixture(scope="module")
def told(city):
    return (
        "layout=released", "data=toy_city", f"data.root={city}", "data.toy=null", "data.crop.height=40",
        "data.crop.width=60", "stage=masks",
    )  # fmt: skip


@pytest.fixture(scope="module")
def audited(tmp_path_factory, told):
    """Made and audited at once. Tests work on copies."""
    out = tmp_path_factory.mktemp("audited") / "out"
    assert run(*told, "audit=true", f"run={out}") == []
    return out


@pytest.fixture
def copy(tmp_path, audited):
    shutil.copytree(audited, tmp_path / "out", copy_function=os.link)
    return tmp_path / "out"


@pytest.fixture(scope="module")
def weak(tmp_path_factory, told):
    """Boxes and tags as a file."""
    out = tmp_path_factory.mktemp("weak")
    run(*told, "stage=annotations", f"run={out}")
    return out / "weak_annotations.json"


def audit_with(*overrides):
    config = settings(*overrides)
    return audit_of(prepare(config, Path(config.run)), "masks")


def instance_map(city, image_id):
    return cv2.imread(str(city / f"gtFine/train/toyville/{image_id}_gtFine_instanceIds.png"), cv2.IMREAD_UNCHANGED)


def expected_counts(city, out):
    """Pixels of mask, instance, both, and of the mask on the class, box by box, as plainly as can be."""
    rows = []
    for image_id in IDS:
        made = np.array(Image.open(out / MAPS / f"{image_id}_leftImg8bit.png"))
        ids = instance_map(city, image_id).astype(int)
        classes = np.where(ids >= 1000, ids // 1000, ids)
        for value in sorted(set(ids.ravel().tolist())):
            names = [k for k in TOY_CITY.thing_ids if TOY_CITY.classes[k].dataset_id == value // 1000]
            if names:
                y, x = np.nonzero(ids == value)
                inside = np.zeros(ids.shape, bool)
                inside[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
                mask, real = inside & (made == names[0]), ids == value
                rows.append((
                    image_id, int(mask.sum()), int(real.sum()), int((mask & real).sum()),
                    int((mask & (classes == value // 1000)).sum()),
                ))  # fmt: skip
    return rows


class TestRecords:
    """What became of each box, with and without an audit."""

    def test_one_entry_a_box(self, audited, weak, told, tmp_path):
        run(*told, f"run={tmp_path}")
        smallest = settings(*told, f"run={tmp_path}").mask_source.min_box
        boxes = 0
        for image_id, annotation in read_weak_annotations(weak, TOY_CITY).images.items():
            name = f"mcg_and_grabcut_records/train/{image_id}.json"
            entries = json.loads((tmp_path / name).read_text())["boxes"]
            instances = [(k, b) for k, b in enumerate(annotation.boxes) if b.kind is BoxKind.INSTANCE]
            assert [(e["index"], e["class"], e["box"]) for e in entries] == [
                (k, TOY_CITY.names[b.class_id], [b.xmin, b.ymin, b.xmax, b.ymax]) for k, b in instances
            ]
            boxes += len(entries)
            assert (tmp_path / name).read_bytes() == (audited / name).read_bytes()
            for e in entries:
                side = 1 + min(e["box"][2] - e["box"][0], e["box"][3] - e["box"][1])
                assert (e["fallback"] == "small box") == (side < smallest)
        assert boxes > 10
        assert {p.name for p in tmp_path.iterdir() if p.name not in (".lock", "logs")} == {
            "mcg_and_grabcut", "mcg_and_grabcut_records", "masks.json", "masks.settings.json",
        }  # fmt: skip

    def test_the_folder_of_maps_holds_maps_alone(self, audited):
        assert {p.name for p in (audited / MAPS).iterdir()} == {f"{i}_leftImg8bit.png" for i in IDS}

    @pytest.mark.parametrize("damage", ["deleted", "cut"])
    def test_a_damaged_record_is_made_again_with_its_map(self, copy, told, audited, damage, capsys):
        path = copy / f"mcg_and_grabcut_records/train/{IDS[1]}.json"
        content = path.read_bytes()
        path.unlink()
        if damage == "cut":
            path.write_bytes(content[:-30])
        run(*told, f"run={copy}")
        assert "masks: 1 images made" in capsys.readouterr().out
        assert results(copy) == results(audited)

    def test_a_crash_before_the_map_leaves_an_image_that_is_not_done(self, told, tmp_path, audited, monkeypatch):
        def fail(*_):
            raise DataError("crash")

        with monkeypatch.context() as patch:
            patch.setattr(ReleasedTree, "write", fail)
            with pytest.raises(DataError, match="crash"):
                run(*told, f"run={tmp_path}")
        assert (tmp_path / f"mcg_and_grabcut_records/train/{IDS[0]}.json").is_file()
        run(*told, "audit=true", f"run={tmp_path}")
        assert results(tmp_path) == results(audited)


class TestScores:
    """Files of the audit."""

    def test_pixels_of_every_box(self, audited, city):
        found = []
        for image_id in IDS:
            for entry in json.loads((audited / f"audit/masks/{image_id}.json").read_text())["boxes"]:
                mask = entry["mask"]
                found.append((image_id, mask["pixels"], entry["real"], mask["shared"], mask["of_class"]))
        assert found == expected_counts(city, audited)
        assert len(found) > 10

    def test_figures_of_the_set(self, audited, city):
        rows = np.array([row[1:] for row in expected_counts(city, audited)], float)
        pixels, real, shared, of_class = rows.T
        content = json.loads((audited / "audit/masks.json").read_text())
        assert content["images"] == 5
        assert content["instances_without_box"] == 0
        assert (content["all"]["boxes"], content["all"]["boxes_without_real_instance"]) == (len(rows), 0)
        assert content["all"]["mask"] == pytest.approx({
            "iou": (shared / (pixels + real - shared)).mean(), "recall": (shared / real).mean(),
            "precision": (shared / pixels)[pixels > 0].mean(), "pixel_recall": shared.sum() / real.sum(),
            "instance_precision": shared.sum() / pixels.sum(), "class_precision": of_class.sum() / pixels.sum(),
        })  # fmt: skip
        for key in ("by_class", "by_size", "by_fallback"):
            assert sum(group["boxes"] for group in content[key].values()) == len(rows)
        assert content["by_fallback"].keys() >= {"not needed", "small box"}
        assert content["all"]["whole_box"]["pixel_recall"] > content["all"]["mask"]["pixel_recall"]

    def test_the_table_names_every_box(self, audited):
        with (audited / "audit/masks.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        content = json.loads((audited / "audit/masks.json").read_text())
        assert Counter(row["fallback"] for row in rows) == {
            name: group["boxes"] for name, group in content["by_fallback"].items()
        }
        assert np.mean([float(row["iou"]) for row in rows]) == pytest.approx(content["all"]["mask"]["iou"], abs=1e-4)
        ordered = sorted(rows, key=lambda row: float(row["iou"]))[:10]
        worst = content["worst_boxes"]
        assert [round(box["iou"], 4) for box in worst] == [float(row["iou"]) for row in ordered]
        assert worst[0]["image_id"] in IDS

    def test_pictures(self, audited, told, copy):
        for name in ("masks_worst_boxes.png", "masks_worst_images.png"):
            with Image.open(audited / "audit" / name) as picture:
                assert picture.mode == "RGB"
                assert min(picture.size) > 200
        for name in JOINED:
            (copy / name).unlink()
        run(*told, "audit=true", "pictures=0", f"run={copy}")
        assert {n for n in results(copy) if n in JOINED} == {"audit/masks.json", "audit/masks.csv"}

    def test_perfect_masks(self, city, told, tmp_path, capsys):
        (tmp_path / "ids").mkdir()
        for image_id in IDS:
            raw = instance_map(city, image_id)
            cv2.imwrite(str(tmp_path / "ids" / f"{image_id}.png"), np.where(raw >= 1000, raw, 0).astype(np.uint16))
        run(*told, "audit=true", "masks=ids", f"masks.path={tmp_path / 'ids'}", f"run={tmp_path / 'out'}")
        content = json.loads((tmp_path / "out/audit/masks.json").read_text())["all"]
        found = content["mask"]
        # A box may hold pixels of another instance of its class.
        assert (found["recall"], found["pixel_recall"], found["class_precision"]) == (1, 1, 1)
        assert 0.8 < found["iou"] < 1
        assert content["mask"] == content["perfect"]
        assert "100.0" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("all "))


class TestRestart:
    """An audit that joins what was there."""

    def test_an_audit_of_maps_that_were_there(self, told, tmp_path, audited, capsys):
        run(*told, f"run={tmp_path}")
        before = times(tmp_path)
        run(*told, "audit=true", f"run={tmp_path}")
        assert "masks: 0 images made" in capsys.readouterr().out
        assert {name: time for name, time in times(tmp_path).items() if name in before} == before
        assert results(tmp_path) == results(audited)

    def test_earlier_images_are_not_scored_again(self, told, tmp_path, audited):
        (tmp_path / "ids.txt").write_text("\n".join(IDS[:2]))
        some = f"data.train_list={tmp_path / 'ids.txt'}"
        run(*told, "audit=true", some, f"run={tmp_path / 'out'}")
        before = times(tmp_path / "out")
        assert json.loads((tmp_path / "out/audit/masks.json").read_text())["images"] == 2
        run(*told, "audit=true", f"run={tmp_path / 'out'}")
        after = times(tmp_path / "out")
        assert {name for name in before if before[name] != after[name]} == JOINED
        assert results(tmp_path / "out") == results(audited)

    @pytest.mark.parametrize("damage", ["deleted", "cut", "empty"])
    def test_damaged_scores_are_made_again(self, copy, told, audited, damage):
        path, before = copy / f"audit/masks/{IDS[3]}.json", times(copy)
        content = path.read_bytes()
        path.unlink()
        if damage != "deleted":
            path.write_bytes(content[: -20 if damage == "cut" else 0])
        run(*told, "audit=true", f"run={copy}")
        assert results(copy) == results(audited)
        after = times(copy)
        assert {n for n in before if before[n] != after[n]} == JOINED | {f"audit/masks/{IDS[3]}.json"}

    def test_a_map_that_is_another_one_is_scored_again(self, copy, told):
        tree, path = ReleasedTree(copy, "train", TOY_CITY), copy / f"audit/masks/{IDS[0]}.json"
        before = path.read_bytes()
        tree.write("masks", IDS[0], np.full((64, 96), 254, np.uint8))
        run(*told, "audit=true", f"run={copy}")
        assert path.read_bytes() != before
        assert {e["mask"]["pixels"] for e in json.loads(path.read_text())["boxes"]} == {0}

    def test_real_labels_that_were_corrected_are_scored_again(self, copy, told, city, tmp_path):
        shutil.copytree(city, tmp_path / "data")
        told = (*told, "audit=true", f"run={copy}")
        path = next((tmp_path / "data").rglob(f"{IDS[0]}_gtFine_instanceIds.png"))
        before = times(copy)
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        values[values >= 1000] = values[0, 0]
        cv2.imwrite(str(path), values)
        # Boxes stay what they were: only what the scores are of has changed.
        audit = audit_with(*told)
        assert all(map(audit.is_done, IDS))
        other = audit_with(*told, f"data.root={tmp_path / 'data'}")
        assert [other.is_done(image_id) for image_id in IDS] == [False, True, True, True, True]
        (copy / f"mcg_and_grabcut_records/train/{IDS[1]}.json").unlink()
        assert [other.is_done(image_id) for image_id in IDS] == [False, False, True, True, True]
        assert before.items() >= times(copy).items()

    def test_the_last_shard_puts_it_together(self, told, tmp_path, audited):
        run(*told, "audit=true", "shard=1/2", f"run={tmp_path}")
        assert not JOINED & set(results(tmp_path))
        assert len(list((tmp_path / "audit/masks").iterdir())) == 2
        run(*told, "audit=true", "shard=0/2", f"run={tmp_path}")
        assert results(tmp_path) == results(audited)

    def test_two_processes(self, told, tmp_path, audited, monkeypatch):
        monkeypatch.setattr(weakpan.parallel.sharing, "_FEW", 1)
        run(*told, "audit=true", "workers=2", f"run={tmp_path}")
        assert results(tmp_path) == results(audited)


class TestBadInput:
    """Without ground truth, or with odd ones."""

    @pytest.fixture
    def tree(self, city, tmp_path):
        shutil.copytree(city, tmp_path / "data", copy_function=os.link)
        return tmp_path / "data"

    @pytest.fixture
    def given(self, told, tree, weak, tmp_path):
        """Boxes from a file, so that nothing but the audit needs ground truth."""
        return (*told, f"data.root={tree}", f"data.weak_annotations={weak}",
                f"run={tmp_path / 'out'}")  # fmt: skip

    def drop(self, tree, image_id):
        path = next(tree.rglob(f"{image_id}_gtFine_instanceIds.png"))
        path.unlink()
        return path

    def test_no_real_labels_is_said_before_work_starts(self, given, tree, tmp_path):
        for image_id in IDS:
            self.drop(tree, image_id)
        with pytest.raises(DataError) as caught:
            run(*given, "audit=true")
        message = str(caught.value)
        assert caught.value.path.name == f"{IDS[0]}_gtFine_instanceIds.png"
        assert f"image {IDS[0]}: audit=true scores against ground truth" in message
        assert "5 of 5 images lack theirs" in message
        assert nothing_made(tmp_path / "out")

    def test_masks_are_the_same_without_real_labels(self, given, tree, audited, tmp_path):
        for image_id in IDS:
            self.drop(tree, image_id)
        assert run(*given) == []
        found = results(tmp_path / "out")
        assert found == {name: value for name, value in results(audited).items() if name in found}
        assert len(found) == 10

    def test_the_others_are_scored(self, given, tree, tmp_path):
        path = self.drop(tree, IDS[2])
        ((image_id, message),) = run(*given, "audit=true", "on_error=skip")
        assert image_id == IDS[2]
        assert path.name in message
        out = tmp_path / "out"
        assert len(list((out / MAPS).iterdir())) == 5
        assert sorted(p.stem for p in (out / "audit/masks").iterdir()) == [i for i in IDS if i != IDS[2]]
        assert not (out / "audit/masks.json").exists()

    def test_a_damaged_real_label_map_is_named(self, given, tree):
        path = self.drop(tree, IDS[2])
        path.write_bytes(b"half")
        with pytest.raises(DataError, match=f"{path.name}: not a readable image"):
            run(*given, "audit=true")

    def test_boxes_that_speak_of_nothing_are_counted(self, given, weak, tmp_path):
        content = json.loads(weak.read_text())
        image = content["images"][0]
        # In the sky, and far from every car.
        image["boxes"].append({"class": "car", "kind": "instance", "box": [0, 0, 9, 9]})
        moved = tmp_path / "moved.json"
        moved.write_text(json.dumps(content))
        run(*given, "audit=true", f"data.weak_annotations={moved}")
        found = json.loads((tmp_path / "out/audit/masks.json").read_text())
        assert found["all"]["boxes_without_real_instance"] == 1
        assert found["by_class"]["car"]["boxes_without_real_instance"] == 1
        assert found["instances_without_box"] == 0
        with (tmp_path / "out/audit/masks.csv").open(newline="") as file:
            (row,) = [r for r in csv.DictReader(file) if r["iou"] == ""]
        assert (row["image_id"], row["class"], row["xmax"]) == (IDS[0], "car", "9")

    def test_instances_that_no_box_speaks_of_are_counted(self, given, weak, tmp_path, capsys):
        content = json.loads(weak.read_text())
        image = content["images"][0]
        gone = next(b for b in image["boxes"] if b["kind"] == "instance")
        image["boxes"].remove(gone)
        fewer = tmp_path / "fewer.json"
        fewer.write_text(json.dumps(content))
        run(*given, "audit=true", f"data.weak_annotations={fewer}")
        assert json.loads((tmp_path / "out/audit/masks.json").read_text())["instances_without_box"] == 1
        assert "1 real instances have no box" in capsys.readouterr().out

    def test_stages_without_an_audit(self, told, tmp_path):
        with pytest.raises(ConfigError, match="belongs to stage=masks, seeds, labels, not to stage=annotations"):
            run(*told, "stage=annotations", "audit=true", f"run={tmp_path / 'out'}")


DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "camvid").is_dir(), reason="CamVid is not there (set WEAKPAN_DATA)")
def test_instances_that_are_connected_components(tmp_path):
    names = sorted((DATA / "camvid/leftImg8bit/train").rglob("*.jpg"))[:2]
    (tmp_path / "ids.txt").write_text("\n".join(p.name.removesuffix("_leftImg8bit.jpg") for p in names))
    given = (
        "layout=released",
        "data=camvid",
        f"data.root={DATA / 'camvid'}",
        f"data.train_list={tmp_path / 'ids.txt'}",
        f"run={tmp_path / 'o'}",
    )
    assert run("stage=masks", "audit=true", *given) == []
    found = json.loads((tmp_path / "o/audit/masks.json").read_text())
    assert found["all"]["boxes"] > 0
    assert found["all"]["boxes_without_real_instance"] == found["instances_without_box"] == 0
    assert found["all"]["mask"]["iou"] > found["all"]["whole_box"]["iou"] > 0.3
