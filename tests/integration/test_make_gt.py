"""The stages of make_gt.py one after the other, on a few generated scenes; started again, cut short, killed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import weakpan.parallel.sharing
from tests.integration.make_gt_in_process import finished, results, run, script, times
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import RunError
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import BoxKind
from weakpan.data.crops import CropGrid
from weakpan.data.derive import derive_annotations
from weakpan.data.formats.coco import CocoPanoptic
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.image_tree import ImageTree
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, make_labels
from weakpan.labels.trail import rule_table
from weakpan.labels.trail_store import AuditStore
from weakpan.toy_city.city import ToyCitySpec, ensure_toy_city

SPEC = ToyCitySpec(height=64, width=96, train=5, val=1)
GRID = CropGrid(40, 60)
IDS = [f"toyville_{k:06d}_000019" for k in range(5)]


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = tmp_path_factory.mktemp("city") / "data"
    ensure_toy_city(root, SPEC, processes=1)
    return root


@pytest.fixture(scope="module")
def told(city):
    """What every stage is told."""
    return (
        "data=toy_city", f"data.root={city}", "data.toy=null", "data.crop.height=40", "data.crop.width=60",
        "layout=released",
    )  # fmt: skip


@pytest.fixture(scope="module")
def chain(tmp_path_factory, told):
    """All stages but the one with a network; CAM maps of noise stand for that. Tests work on copies."""
    out = tmp_path_factory.mktemp("chain") / "out"
    for stage in (["stage=annotations", "mat=true"], ["stage=masks", "masks=default"]):
        assert run(*told, *stage, f"run={out}") == []
    write_cams(out)
    assert run(*told, "stage=labels", "round=0", "audit=true", "pictures=2", "coco=true", f"run={out}") == []
    return out


@pytest.fixture
def copy(tmp_path, chain):
    # Links will do: a result is replaced and never written into.
    shutil.copytree(chain, tmp_path / "out", copy_function=os.link)
    return tmp_path / "out"


def write_cams(out):
    tree, rng = ReleasedTree(out, "train", TOY_CITY), np.random.default_rng(0)
    for image_id in IDS:
        coarse = rng.choice([0, 1, 2, 6, 7, 9, 255], (8, 12)).astype(np.uint8)
        tree.write("cam", image_id, coarse.repeat(8, 0).repeat(8, 1))


def truth(city, image_id, kind):
    return cv2.imread(str(city / f"gtFine/train/toyville/{image_id}_gtFine_{kind}.png"), cv2.IMREAD_UNCHANGED)


def masks_of(out):
    return {p.name: p.read_bytes() for p in sorted((out / "mcg_and_grabcut/train").iterdir())}


class TestAnnotations:
    """Weak annotations, a file an image."""

    def test_they_are_those_that_training_derives(self, city, chain):
        found = read_weak_annotations(chain / "weak_annotations.json", TOY_CITY)
        expected = derive_annotations(ImageTree(city, "train", TOY_CITY), GRID, 1)
        assert found.images == expected.images
        assert list(found.images) == IDS
        assert found.grid == GRID
        assert sum(b.kind is BoxKind.INSTANCE for i in found.images.values() for b in i.boxes) > 10

    @pytest.mark.parametrize(
        "template", ["gtFine_bboxes/{split}/panoptic/{id}_leftImg8bit.mat", "mine/{id}.mat", "{split}-{id}-boxes.mat"]
    )
    def test_matlab_files_can_be_read_back(self, tmp_path, told, chain, template):
        run(*told, "stage=annotations", "mat=true", f"data.mat={template}", f"run={tmp_path / 'a'}")
        for image_id in IDS:
            assert (tmp_path / "a" / template.format(split="train", id=image_id)).is_file()
        (tmp_path / "ids.txt").write_text("\n".join(IDS))
        mine = ("data.boxes=mat", f"data.mat={tmp_path / 'a'}/{template}", f"data.train_list={tmp_path / 'ids.txt'}")
        run(*told, "stage=annotations", *mine, f"run={tmp_path / 'b'}")
        for image_id in IDS:
            name = f"annotations/{image_id}.json"
            assert (tmp_path / "b" / name).read_bytes() == (chain / name).read_bytes()

    def test_from_a_weak_annotation_file(self, tmp_path, told, chain):
        # The file's own grid counts.
        own = (f"data.weak_annotations={chain / 'weak_annotations.json'}", "data.crop.width=33")
        run(*told, "stage=annotations", *own, f"run={tmp_path}")
        for name in ("weak_annotations.json", f"annotations/{IDS[3]}.json"):
            assert (tmp_path / name).read_bytes() == (chain / name).read_bytes()

    def test_the_grid_of_the_file_is_that_of_its_tags(self, tmp_path, told):
        run(*told, "stage=annotations", "data.crop.width=50", f"run={tmp_path}")
        found = read_weak_annotations(tmp_path / "weak_annotations.json", TOY_CITY)
        assert found.grid == CropGrid(40, 50)


class TestMasks:
    """Masks in boxes, however the work is shared and wherever they come from."""

    def test_two_processes_make_what_one_makes(self, tmp_path, told, chain, monkeypatch):
        # So few images would not be worth a process.
        monkeypatch.setattr(weakpan.parallel.sharing, "_FEW", 1)
        run(*told, "stage=masks", "workers=2", f"run={tmp_path}")
        assert masks_of(tmp_path) == masks_of(chain)
        assert len(masks_of(chain)) == 5
        values = {v for name in masks_of(chain) for v in np.unique(np.array(Image.open(
            chain / "mcg_and_grabcut/train" / name)))}  # fmt: skip
        assert values >= {0, 255} | {TOY_CITY.train_id_named(n) for n in ("person", "car")}

    def test_two_shards_make_what_one_run_makes(self, tmp_path, told, chain):
        run(*told, "stage=masks", "shard=0/2", f"run={tmp_path}")
        assert sorted(masks_of(tmp_path)) == [f"{i}_leftImg8bit.png" for i in IDS[::2]]
        assert not (tmp_path / "masks.json").exists()
        run(*told, "stage=masks", "shard=1/2", f"run={tmp_path}")
        assert masks_of(tmp_path) == masks_of(chain)
        assert json.loads((tmp_path / "masks.json").read_text())["ids"] == IDS

    def test_a_shard_of_nothing(self, tmp_path, told):
        (tmp_path / "ids.txt").write_text(IDS[0])
        assert (
            run(*told, "stage=masks", "shard=3/4", f"data.train_list={tmp_path / 'ids.txt'}", f"run={tmp_path}") == []
        )
        assert not (tmp_path / "masks.json").exists()

    @pytest.fixture
    def perfect(self, tmp_path, city):
        """Real instances as PNGs of ids and as a COCO file."""
        (tmp_path / "ids").mkdir()
        annotations = []
        for image_id in IDS:
            raw = truth(city, image_id, "instanceIds")
            ids = np.where(raw >= 1000, raw, 0).astype(np.uint16)
            cv2.imwrite(str(tmp_path / "ids" / f"{image_id}.png"), ids)
            for value in sorted(set(ids.ravel().tolist()) - {0}):
                runs, inside, last = [0], (ids == value).T.ravel(), False
                for pixel in inside.tolist():
                    if pixel != last:
                        runs.append(0)
                    runs[-1] += 1
                    last = pixel
                annotations.append({
                    "image_id": image_id, "category_id": value // 1000, "score": 1.0,
                    "segmentation": {"size": list(ids.shape), "counts": runs},
                })  # fmt: skip
        (tmp_path / "results.json").write_text(json.dumps(annotations))
        return tmp_path

    def test_masks_of_other_tools(self, perfect, city, told, chain):
        run(*told, "stage=masks", "masks=ids", f"masks.path={perfect / 'ids'}", f"run={perfect / 'a'}")
        given = ("masks=coco", f"masks.path={perfect / 'results.json'}", "masks.template={id}")
        run(*told, "stage=masks", *given, f"run={perfect / 'b'}")
        released = f"masks.path={perfect / 'a/mcg_and_grabcut/train'}"
        run(*told, "stage=masks", "masks=released", released, f"run={perfect / 'c'}")
        assert masks_of(perfect / "b") == masks_of(perfect / "a") == masks_of(perfect / "c")
        train_id_of = np.zeros(256, np.uint8)
        for k, info in enumerate(TOY_CITY.classes):
            train_id_of[info.dataset_id] = k
        weak = read_weak_annotations(chain / "weak_annotations.json", TOY_CITY)
        for image_id in IDS:
            raw = truth(city, image_id, "instanceIds")
            expected = np.zeros(raw.shape, np.uint8)
            for box in weak.images[image_id].boxes:
                if box.kind is not BoxKind.STUFF:
                    expected[box.slices] = 255
            expected[raw >= 1000] = train_id_of[raw[raw >= 1000] // 1000]
            found = np.array(Image.open(perfect / f"a/mcg_and_grabcut/train/{image_id}_leftImg8bit.png"))
            np.testing.assert_array_equal(found, expected)


class TestLabels:
    """Labels from the cues that the stages before have written."""

    def test_they_are_made_of_the_other_stages(self, chain):
        weak = read_weak_annotations(chain / "weak_annotations.json", TOY_CITY)
        tree = ReleasedTree(chain, "train", TOY_CITY)
        for image_id in IDS:
            inp = LabelInput(tree.read("cam", image_id), None, tree.read("masks", image_id), weak.images[image_id])
            labels = make_labels(inp, LabelRules(), TOY_CITY, GRID, 0)
            found = np.array(Image.open(chain / f"pred_sem_clean/{image_id}_leftImg8bit.png"))
            np.testing.assert_array_equal(found, labels.semantic)
            found = np.array(Image.open(chain / f"pred_ins_clean/{image_id}_leftImg8bit.png"))
            np.testing.assert_array_equal(found, labels.instances.astype(np.uint8))

    def test_two_shards_make_what_one_run_makes(self, tmp_path, told, chain):
        more = ("stage=labels", "round=0", "audit=true", "pictures=2", "coco=true", f"layout.inputs={chain}")
        run(*told, *more, "shard=1/2", f"run={tmp_path}")
        assert not (tmp_path / "panoptic.json").exists()
        assert not (tmp_path / "audit/labels/changes.csv").exists()
        run(*told, *more, "shard=0/2", f"run={tmp_path}")
        expected = results(chain)
        assert results(tmp_path) == {
            n: expected[n] for n in expected if n.startswith(("pred_", "audit/labels/", "panoptic"))
        }

    def test_the_audit_is_complete_and_adds_up(self, chain):
        names = {f"{i}_rules.png" for i in IDS} | {f"{i}_changes.csv" for i in IDS}
        names |= {f"{i}_panel.png" for i in IDS[:2]} | {"changes.csv"}
        assert {p.name for p in (chain / "audit/labels").iterdir()} == names
        with (chain / "audit/labels/changes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        store = AuditStore(chain / "audit/labels")
        for image_id in IDS:
            semantic = np.array(Image.open(chain / f"pred_sem_clean/{image_id}_leftImg8bit.png"))
            of_image = [row for row in rows if row["image_id"] == image_id]
            counts = Counter()
            for row in of_image:
                n = int(row["pixels"])
                if row["step"] == "input":
                    counts[row["to"]] += n
                elif row["step"] != "instances":
                    counts[row["to"]] += n
                    counts[row["from"]] -= n
            names = [*TOY_CITY.names, "(no label)"]
            found = Counter(names[min(v, TOY_CITY.num_classes)] for v in semantic.ravel().tolist())
            assert +counts == found
            rules = store.read_rules(image_id)
            assert rules.shape == semantic.shape
            instances = np.array(Image.open(chain / f"pred_ins_clean/{image_id}_leftImg8bit.png"))
            contested = (instances == 255) & (semantic != 255)
            np.testing.assert_array_equal(rules == rule_table(LabelRules()).names.index("instances"), contested)
        assert {row["step"] for row in rows} >= {"input", "tag_check", "mask_merge"}

    def test_without_audit_the_labels_are_the_same(self, tmp_path, told, chain):
        run(*told, "stage=labels", "round=0", f"layout.inputs={chain}", f"run={tmp_path}")
        found, expected = results(tmp_path), results(chain)
        assert {name.partition("/")[0] for name in found} == {"pred_sem_clean", "pred_ins_clean"}
        assert found == {name: expected[name] for name in found}

    def test_the_coco_file_says_what_the_maps_say(self, chain):
        content = json.loads((chain / "panoptic.json").read_text())
        assert [i["id"] for i in content["images"]] == [a["image_id"] for a in content["annotations"]] == IDS
        assert [i["file_name"] for i in content["images"]] == [f"{i}_leftImg8bit.png" for i in IDS]
        assert {(i["height"], i["width"]) for i in content["images"]} == {(64, 96)}
        assert [c["id"] for c in content["categories"]] == [c.dataset_id for c in TOY_CITY.classes]
        coco = CocoPanoptic(chain / "panoptic.json", TOY_CITY)
        for annotation in content["annotations"]:
            image_id = annotation["image_id"]
            semantic = np.array(Image.open(chain / f"pred_sem_clean/{image_id}_leftImg8bit.png"))
            instances = np.array(Image.open(chain / f"pred_ins_clean/{image_id}_leftImg8bit.png"))
            colours = np.array(Image.open(chain / "panoptic" / annotation["file_name"])).astype(int)
            ids = colours @ [1, 256, 65536]
            np.testing.assert_array_equal(ids == 0, semantic == 255)
            assert {s["id"] for s in annotation["segments_info"]} == set(np.unique(ids)) - {0}
            for segment in annotation["segments_info"]:
                inside = ids == segment["id"]
                (class_id,) = np.unique(semantic[inside])
                assert segment["area"] == inside.sum()
                assert segment["category_id"] == TOY_CITY.classes[class_id].dataset_id
                numbers = np.unique(instances[inside])
                if TOY_CITY.is_thing[class_id]:
                    single = len(numbers) == 1 and 0 < numbers[0] < 255
                    assert segment["iscrowd"] == (not single)
            read = coco.truth(image_id)
            np.testing.assert_array_equal(read.semantic, semantic)

    def test_the_coco_file_is_a_source_of_boxes_and_tags(self, tmp_path, told, chain):
        coco = ("data.boxes=coco", "data.tags=coco", f"data.coco={chain / 'panoptic.json'}")
        run(*told, "stage=annotations", *coco, f"run={tmp_path}")
        found = read_weak_annotations(tmp_path / "weak_annotations.json", TOY_CITY)
        assert list(found.images) == IDS
        boxes = 0
        for image_id in IDS:
            semantic = np.array(Image.open(chain / f"pred_sem_clean/{image_id}_leftImg8bit.png"))
            instances = np.array(Image.open(chain / f"pred_ins_clean/{image_id}_leftImg8bit.png"))
            assert found.images[image_id].tags == GRID.tags(semantic)
            expected = set()
            for class_id in TOY_CITY.thing_ids:
                for k in set(instances[semantic == class_id].tolist()) - {0, 255}:
                    rows, columns = np.nonzero((semantic == class_id) & (instances == k))
                    expected.add((class_id, columns.min(), rows.min(), columns.max(), rows.max()))
            single = [b for b in found.images[image_id].boxes if b.kind is BoxKind.INSTANCE]
            assert {(b.class_id, b.xmin, b.ymin, b.xmax, b.ymax) for b in single} == expected
            boxes += len(single)
        assert boxes > 10

    def test_images_of_a_numbered_coco_file_are_called_like_their_photographs(self, tmp_path, told, chain):
        content = json.loads((chain / "panoptic.json").read_text())
        for number, (image, annotation) in enumerate(zip(content["images"], content["annotations"], strict=True), 7):
            image["id"] = annotation["image_id"] = number
            image["file_name"] = image["file_name"].replace("_leftImg8bit", "")
        (tmp_path / "coco.json").write_text(json.dumps(content))
        (tmp_path / "coco").symlink_to(chain / "panoptic")
        coco = ("data.boxes=coco", "data.tags=coco", f"data.coco={tmp_path / 'coco.json'}")
        run(*told, "stage=annotations", *coco, f"run={tmp_path / 'out'}")
        assert list(read_weak_annotations(tmp_path / "out/weak_annotations.json", TOY_CITY).images) == IDS

    def test_coarse_labels_as_coco(self, tmp_path, told, chain):
        run(*told, "stage=labels", "labels=coarse", "coco=true", f"layout.inputs={chain}", f"run={tmp_path}")
        assert not (tmp_path / "pred_ins_clean").exists()
        for annotation in json.loads((tmp_path / "panoptic.json").read_text())["annotations"]:
            for segment in annotation["segments_info"]:
                things = {TOY_CITY.classes[i].dataset_id for i in TOY_CITY.thing_ids}
                assert segment["iscrowd"] == (segment["category_id"] in things)

    def test_photographs_of_other_names(self, tmp_path, told, chain):
        image = "data.files.image=leftImg8bit/{split}/{group}/{id}.jpg"
        run(*told, "stage=labels", "coco=true", image, f"layout.inputs={chain}", f"run={tmp_path}")
        content = json.loads((tmp_path / "panoptic.json").read_text())
        assert [i["file_name"] for i in content["images"]] == [f"{i}.jpg" for i in IDS]


STAGES = {
    "annotations": ("stage=annotations", "mat=true"),
    "masks": ("stage=masks",),
    "labels": ("stage=labels", "round=0", "audit=true", "pictures=2", "coco=true"),
}
JOINED = ("weak_annotations.json", "panoptic.json", "audit/labels/changes.csv")


class TestRestart:
    """The same command again."""

    @pytest.mark.parametrize("stage", STAGES)
    def test_nothing_is_made_twice(self, copy, told, stage, capsys):
        before = times(copy)
        run(*told, *STAGES[stage], f"run={copy}")
        after = times(copy)
        assert f"{stage}: 0 images made" in capsys.readouterr().out
        assert {n for n in before if before[n] != after[n]} <= set(JOINED)
        assert set(before) == set(after)

    @pytest.mark.parametrize(
        ("stage", "name"),
        [
            ("annotations", f"annotations/{IDS[1]}.json"),
            ("annotations", f"gtFine_bboxes/train/panoptic/{IDS[1]}_leftImg8bit.mat"),
            ("masks", f"mcg_and_grabcut/train/{IDS[1]}_leftImg8bit.png"),
            ("labels", f"pred_sem_clean/{IDS[1]}_leftImg8bit.png"),
            ("labels", f"pred_ins_clean/{IDS[1]}_leftImg8bit.png"), ("labels", f"audit/labels/{IDS[1]}_rules.png"),
            ("labels", f"audit/labels/{IDS[1]}_changes.csv"), ("labels", f"audit/labels/{IDS[1]}_panel.png"),
            ("labels", f"panoptic/{IDS[1]}.png"), ("labels", f"panoptic/{IDS[1]}.json"), ("labels", "panoptic.json"),
            ("labels", "audit/labels/changes.csv"), ("annotations", "weak_annotations.json"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("damage", ["deleted", "cut"])
    def test_what_is_damaged_is_made_again(self, copy, told, chain, stage, name, damage, capsys):
        before = times(copy)
        content = (copy / name).read_bytes()
        (copy / name).unlink()
        if damage == "cut":
            (copy / name).write_bytes(content[: int(len(content) * 0.7)])
        run(*told, *STAGES[stage], f"run={copy}")
        assert f"{stage}: {int(IDS[1] in name)} images made" in capsys.readouterr().out
        assert results(copy) == results(chain)
        after = times(copy)
        assert {n for n in before if before[n] != after[n] and IDS[1] not in n} <= set(JOINED)

    def test_empty_files_are_made_again(self, copy, told, chain):
        folders = {"annotations": ["annotations", "gtFine_bboxes"], "masks": ["mcg_and_grabcut"],
                   "labels": ["pred_sem_clean", "pred_ins_clean", "audit", "panoptic"]}  # fmt: skip
        for stage, names in folders.items():
            for name in [n for n in results(copy) if IDS[1] in n and n.partition("/")[0] in names]:
                (copy / name).unlink()
                (copy / name).touch()
            run(*told, *STAGES[stage], f"run={copy}")
            assert results(copy) == results(chain)

    def test_what_a_killed_process_leaves_behind_does_not_count(self, copy, told, chain):
        folders = [p for p in (copy, *copy.rglob("*")) if p.is_dir()]
        left = []
        for folder in folders:
            for example in [p for p in folder.iterdir() if p.is_file()][:2]:
                name = example.name.replace(IDS[0], IDS[1])
                left.append(folder / f".{Path(name).stem}.4711{Path(name).suffix}")
                left[-1].write_bytes(b"half of someth")
        assert len(left) > 12
        for name in [n for n in results(copy) if IDS[1] in n and not n.startswith("cam/")]:
            (copy / name).unlink()
        for stage in STAGES.values():
            run(*told, *stage, f"run={copy}")
        assert results(copy) == results(chain)
        assert all(path.read_bytes() == b"half of someth" for path in left)

    @pytest.mark.parametrize(
        ("stage", "change", "parts"),
        [
            (
                "labels",
                "labels.rules.low_iou_fill.threshold=0.7",
                ["labels.rules.low_iou_fill.threshold: 0.5 then, 0.7 now"],
            ),
            ("labels", "round=6", ["round: 0 then, 6 now"]),
            ("labels", "labels.rules.tag_check=null", ["labels.rules.tag_check"]),
            ("masks", "masks.min_box=5", ["masks.min_box: 4 then, 5 now"]),
            ("masks", "data.train_split=val", ["data.train_split: 'train' then, 'val' now"]),
            ("annotations", "data.crop.width=61", ["data.crop.width: 60 then, 61 now"]),
            ("annotations", "data.train_split=val", ["data.train_split: 'train' then, 'val' now"]),
        ],
    )
    def test_changed_settings_are_refused_by_name(self, copy, told, stage, change, parts):
        before = times(copy)
        with pytest.raises(RunError) as caught:
            run(*told, *STAGES[stage], change, f"run={copy}")
        for part in (f"{copy} was made with other settings", *parts):
            assert part in str(caught.value)
        assert times(copy) == before

    def test_settings_of_a_run_that_lacked_its_input_do_not_bind(self, tmp_path, told, chain):
        with pytest.raises(Exception, match="pred_sem_raw"):
            run(*told, "stage=labels", "round=1", f"layout.inputs={chain}", f"run={tmp_path}")
        assert run(*told, "stage=labels", "round=0", f"layout.inputs={chain}", f"run={tmp_path}") == []

    def test_more_can_be_asked_for_later(self, tmp_path, told, chain):
        plain = ("stage=labels", "round=0", f"layout.inputs={chain}", f"run={tmp_path}")
        run(*told, *plain)
        run(*told, *plain, "audit=true", "pictures=2", "coco=true")
        expected = results(chain)
        assert results(tmp_path) == {
            n: expected[n] for n in expected if n.startswith(("pred_", "audit/labels/", "panoptic"))
        }
        names = set(results(tmp_path))
        run(*told, *plain, "audit=true", "pictures=3", "coco=true")
        assert set(results(tmp_path)) - names == {f"audit/labels/{IDS[2]}_panel.png"}

    def test_more_images_can_be_added_later(self, tmp_path, told, chain):
        (tmp_path / "ids.txt").write_text("\n".join(IDS[:4]))
        out = f"run={tmp_path / 'out'}"
        run(*told, "stage=annotations", f"data.train_list={tmp_path / 'ids.txt'}", out)
        assert len(read_weak_annotations(tmp_path / "out/weak_annotations.json", TOY_CITY).images) == 4
        run(*told, "stage=annotations", out)
        name = "weak_annotations.json"
        assert (tmp_path / "out" / name).read_bytes() == (chain / name).read_bytes()


class TestScript:
    """As people start it."""

    @pytest.fixture(scope="class")
    def many(self, tmp_path_factory, city, chain):
        """Data and cues of enough images to be in the middle of them: the five images again and again."""
        folder, ids = tmp_path_factory.mktemp("many"), [f"toyville_{k:06d}_000019" for k in range(120)]
        for k, image_id in enumerate(ids):
            for root, name in (
                (chain, "cues/cam/train/{id}_leftImg8bit.png"),
                (chain, "cues/mcg_and_grabcut/train/{id}_leftImg8bit.png"),
                (city, "data/gtFine/train/toyville/{id}_gtFine_labelIds.png"),
                (city, "data/gtFine/train/toyville/{id}_gtFine_instanceIds.png"),
            ):
                path = folder / name.format(id=image_id)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(root / name.partition("/")[2].format(id=IDS[k % 5]), path)
        return folder, ids

    @pytest.mark.parametrize("workers", [1, 2])
    def test_killed_and_started_again(self, tmp_path, told, chain, many, workers):
        """Ends with the same files as a run that nobody disturbed."""
        folder, ids = many
        command = (
            "stage=labels", "round=0", *told, f"data.root={folder / 'data'}", f"layout.inputs={folder / 'cues'}",
            f"workers={workers}", "coco=true", f"run={tmp_path}",
        )  # fmt: skip
        # A later key wins only in process; Hydra refuses to be told twice.
        process = script(*(c for c in command if c != told[1]))
        while len(list(tmp_path.glob("pred_sem_clean/*"))) < 10 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert finished(process).returncode == -signal.SIGKILL
        assert not (tmp_path / "labels.json").exists()
        assert 0 < len([name for name in results(tmp_path) if name.startswith("pred_sem_clean")]) < 120
        assert run(*command, "workers=1") == []
        assert len(json.loads((tmp_path / "labels.json").read_text())["ids"]) == 120
        found, expected = results(tmp_path), results(chain)
        assert len(found) == 120 * 4 + 1
        for k, image_id in enumerate(ids):
            for name in (f"pred_sem_clean/{image_id}_leftImg8bit.png", f"pred_ins_clean/{image_id}_leftImg8bit.png",
                         f"panoptic/{image_id}.png"):  # fmt: skip
                assert found[name] == expected[name.replace(image_id, IDS[k % 5])]

    def test_a_sweep_over_shards(self, tmp_path, told, chain):
        given = ("-m", "shard=0/2,1/2", "stage=annotations", *told, f"run={tmp_path / 'out'}")
        done = finished(script(*given, folder=tmp_path))
        assert done.returncode == 0, done.stderr
        name = "weak_annotations.json"
        assert (tmp_path / "out" / name).read_bytes() == (chain / name).read_bytes()

    def test_a_sweep_over_folders_leaves_none_of_a_default_value(self, tmp_path, told):
        sweep = ("-m", "data.crop.width=60,61", "stage=annotations", *told[:-2], told[-1], "run=a_${data.crop.width}")
        done = finished(script(*sweep, folder=tmp_path))
        assert done.returncode == 0, done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a_60", "a_61", "a_sweep"]
        assert [path.name for path in (tmp_path / "a_sweep").iterdir()] == ["multirun.yaml"]
        for folder in ("a_60", "a_61"):
            assert (tmp_path / folder / "weak_annotations.json").is_file()
