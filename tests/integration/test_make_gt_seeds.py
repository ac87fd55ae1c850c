"""make_gt.py stage=seeds: the seeds of a run, made again from its classifier alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.integration.loop_in_process import tiny_experiment
from tests.integration.make_gt_in_process import nothing_made, results, run, times
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError, DataError, RunError, WeakpanError
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.stages.annotations import run_annotations
from weakpan.stages.build import quieten_lightning
from weakpan.stages.classifier import run_classifier
from weakpan.stages.seeds import run_seeds
from weakpan.storage.images import read_map

IDS = [f"toyville_{k:06d}_000019" for k in range(4)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, city):
    """A run folder as it is after classifier and seeds."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    experiment = tiny_experiment(folder, city)
    quieten_lightning()
    run_annotations(experiment, experiment.train.ids)
    run_classifier(experiment, [])
    run_seeds(experiment, experiment.train.ids, [])
    return folder


@pytest.fixture
def told(city, trained, tmp_path):
    return (
        "layout=released", "stage=seeds", "trainer=cpu", "data=toy_city", f"data.root={city}", "data.toy=null",
        "data.crop.height=40", "data.crop.width=60",
        f"classifier_from={trained / 'classifier/last.ckpt'}", f"run={tmp_path / 'out'}",
    )  # fmt: skip


def maps(out):
    return {p.name.removesuffix("_leftImg8bit.png"): read_map(p) for p in sorted((out / "cam/train").iterdir())}


def test_the_same_settings_give_the_same_maps(trained, told, tmp_path):
    assert run(*told) == []
    found = maps(tmp_path / "out")
    assert list(found) == IDS
    labelled = 0
    for image_id, values in found.items():
        np.testing.assert_array_equal(values, read_map(trained / "seeds" / f"{image_id}.png"))
        labelled += int((values != 255).sum())
    assert labelled > 0


def test_from_weak_annotations_and_only_what_is_missing(trained, told, tmp_path):
    weak = (f"data.weak_annotations={trained / 'weak_annotations.json'}", "data.crop.width=77")  # fmt: skip
    run(*told, *weak)
    expected, before = results(tmp_path / "out"), times(tmp_path / "out")
    for image_id in IDS:
        own = read_map(trained / "seeds" / f"{image_id}.png")
        np.testing.assert_array_equal(maps(tmp_path / "out")[image_id], own)
    (tmp_path / f"out/cam/train/{IDS[2]}_leftImg8bit.png").write_bytes(b"half")
    assert run(*told, *weak) == []
    assert results(tmp_path / "out") == expected
    after = times(tmp_path / "out")
    assert [name for name in before if before[name] != after[name]] == [f"cam/train/{IDS[2]}_leftImg8bit.png"]
    assert run(*told, *weak) == []
    assert times(tmp_path / "out") == after


def test_crops_of_another_size_than_the_classifier_knows_are_refused(told):
    with pytest.raises(
        RunError, match=r"crops of 40 x 60 pixels .*, here they are 40 x 61; give data\.crop\.height=40"
    ):
        run(*told, "data.crop.width=61")


def test_images_that_cannot_be_read_are_skipped(city, told, tmp_path):
    shutil.copytree(city, tmp_path / "data")
    path = tmp_path / f"data/leftImg8bit/train/toyville/{IDS[1]}_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:500])
    (tmp_path / "ids.txt").write_text("\n".join([*IDS, "ghost"]))
    given = (*told, f"data.root={tmp_path / 'data'}", f"data.train_list={tmp_path / 'ids.txt'}")
    with pytest.raises(DataError, match=IDS[1]):
        run(*given)
    assert nothing_made(tmp_path / "out")
    failures = run(*given, "on_error=skip")
    assert [image_id for image_id, _ in failures] == [IDS[1], "ghost"]
    assert "ends early" in failures[0][1]
    assert list(maps(tmp_path / "out")) == [IDS[0], IDS[2], IDS[3]]
    assert not (tmp_path / "out/seeds.json").exists()


def test_a_table_of_other_classes(told):
    with pytest.raises(RunError, match=r"trained with classes road, .*data\.classes has road, sidewalk"):
        run(*told, "data.classes=camvid")


@pytest.mark.parametrize(("name", "part"), [("gone.ckpt", "no such checkpoint"), ("text.ckpt", "not a readable ")])
def test_checkpoints_that_are_none(told, tmp_path, name, part):
    (tmp_path / "text.ckpt").write_bytes(b"no weights")
    with pytest.raises(DataError, match=f"{name}: {part}"):
        run(*told, f"classifier_from={tmp_path / name}")


def test_a_damaged_checkpoint(told, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run/classifier/last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeakpanError, match=r"last\.ckpt"):
        run(*told, f"classifier_from={path}")


@pytest.fixture(scope="module")
def kept(city, trained, tmp_path_factory):
    """Results of the stage with heatmaps kept."""
    out = tmp_path_factory.mktemp("kept") / "out"
    run("layout=released", "stage=seeds", "trainer=cpu", "data=toy_city", f"data.root={city}",
        "data.toy=null", "data.crop.height=40", "data.crop.width=60",
        f"classifier_from={trained / 'classifier/last.ckpt'}", f"run={out}", "seeds.keep_heatmaps=true")  # fmt: skip
    return out


class TestHeatmaps:
    """Heatmaps that are kept, and labels that are made from them again."""

    @pytest.fixture
    def recut(self, city, kept, tmp_path):
        return (
            "layout=released", "stage=seeds", "trainer=cpu", "data=toy_city", f"data.root={city}", "data.toy=null",
        "data.crop.height=40", "data.crop.width=60",
            f"heatmaps_from={kept / 'cam_heatmaps/train'}", f"run={tmp_path / 'out'}",
        )  # fmt: skip

    def differ(self, one, other):
        return np.mean([one[image_id] != other[image_id] for image_id in IDS])

    def test_keeping_them_changes_no_label(self, trained, kept):
        assert sorted(p.name for p in (kept / "cam_heatmaps/train").iterdir()) == [f"{i}.npz" for i in IDS]
        for image_id, values in maps(kept).items():
            np.testing.assert_array_equal(values, read_map(trained / "seeds" / f"{image_id}.png"))

    def test_the_same_settings_give_the_same_labels_but_for_rounding(self, kept, recut, tmp_path):
        assert run(*recut) == []
        found, made = maps(tmp_path / "out"), maps(kept)
        assert list(found) == IDS
        # Of images of 64 x 96 a pixel of border is a hundredth; see test_label_maps.py.
        assert self.differ(found, made) < 0.03

    def test_other_rules_and_thresholds_are_those_of_the_network(self, told, recut, tmp_path):
        for index, options in enumerate(
            [
                ("seeds.rule.threshold=0.7", "seeds.rule.diffusion.steps=0"),
                ("seeds=cam_published", "seeds.rule.threshold=0.9", "seeds.scales=[1.0,1.5]", "seeds.flip=true"),
            ]
        ):
            run(*told, *options, f"run={tmp_path / f'network{index}'}")
            run(*recut, *options, f"run={tmp_path / f'recut{index}'}")
            # Where all classes are above the threshold nearly everywhere, the smaller area wins by a pixel.
            assert self.differ(maps(tmp_path / f"network{index}"), maps(tmp_path / f"recut{index}")) < 0.03
        labelled = [np.mean([m != 255 for m in maps(tmp_path / f"recut{k}").values()]) for k in (0, 1)]
        assert labelled[0] != labelled[1]

    def test_made_again_after_an_interruption_and_for_other_settings_elsewhere(self, recut, tmp_path):
        run(*recut)
        expected, before = results(tmp_path / "out"), times(tmp_path / "out")
        (tmp_path / f"out/cam/train/{IDS[1]}_leftImg8bit.png").write_bytes(b"half")
        # Scales are those of the heatmaps, so that they make no other labels.
        run(*recut, "seeds.scales=[1.0]")
        assert results(tmp_path / "out") == expected
        after = times(tmp_path / "out")
        again = [f"cam/train/{IDS[1]}_leftImg8bit.png", f"cam_sources/train/{IDS[1]}.json"]
        assert [name for name in before if before[name] != after[name]] == again
        with pytest.raises(RunError, match=r"seeds\.rule\.threshold: 0\.5 then, 0\.6 now"):
            run(*recut, "seeds.rule.threshold=0.6")

    def test_maps_of_heatmaps_that_have_changed_are_made_again(self, kept, recut, tmp_path):
        shutil.copytree(kept / "cam_heatmaps/train", tmp_path / "copy")
        folder, told = HeatmapFolder(tmp_path / "copy", TOY_CITY), (*recut, f"heatmaps_from={tmp_path / 'copy'}")
        run(*told)
        before, old = times(tmp_path / "out"), maps(tmp_path / "out")
        heatmaps = folder.read(IDS[1])
        folder.write(IDS[1], replace(heatmaps, positive=heatmaps.negative, negative=heatmaps.positive))
        run(*told)
        after = times(tmp_path / "out")
        again = [f"cam/train/{IDS[1]}_leftImg8bit.png", f"cam_sources/train/{IDS[1]}.json"]
        assert [name for name in before if before[name] != after[name]] == again
        assert (maps(tmp_path / "out")[IDS[1]] != old[IDS[1]]).any()

    def test_heatmaps_of_other_crops_or_tags_are_refused(self, kept, recut, tmp_path):
        part = rf"{IDS[0]}\.npz: made with crops of 40 x 60 pixels .* are 40 x 48; give .* data\.crop\.width=60"
        for option in ("cam", "cam_published"):
            with pytest.raises(DataError, match=part):
                run(*recut, "data.crop.width=48", f"seeds={option}")
        shutil.copytree(kept / "cam_heatmaps/train", tmp_path / "copy")
        folder = HeatmapFolder(tmp_path / "copy", TOY_CITY)
        heatmaps = folder.read(IDS[2])
        names = [TOY_CITY.names[k] for k in heatmaps.classes]
        folder.write(IDS[2], heatmaps.only(heatmaps.classes[1:]))
        part = rf"{IDS[2]}\.npz: heatmaps of the classes {', '.join(names[1:])}; the image has .* {', '.join(names)};"
        with pytest.raises(DataError, match=part):
            run(*recut, f"heatmaps_from={tmp_path / 'copy'}")

    def test_a_damaged_heatmap_is_made_again_by_the_one_and_named_by_the_other(self, kept, told, recut, tmp_path):
        shutil.copytree(kept, tmp_path / "copy")
        path = tmp_path / f"copy/cam_heatmaps/train/{IDS[2]}.npz"
        path.write_bytes(path.read_bytes()[:300])
        folder = f"heatmaps_from={path.parent}"
        with pytest.raises(DataError, match=rf"{IDS[2]}\.npz: not readable"):
            run(*recut, folder)
        failures = run(*recut, folder, "on_error=skip")
        assert [image_id for image_id, _ in failures] == [IDS[2]]
        before = times(tmp_path / "copy")
        assert run(*told, "seeds.keep_heatmaps=true", f"run={tmp_path / 'copy'}") == []
        assert results(tmp_path / "copy") == results(kept)
        after = times(tmp_path / "copy")
        names = {f"cam/train/{IDS[2]}_leftImg8bit.png", f"cam_heatmaps/train/{IDS[2]}.npz"}
        assert {name for name in before if before[name] != after[name]} == names

    def test_what_is_missing_is_said_before_work_starts(self, recut, tmp_path):
        with pytest.raises(DataError, match="no such folder") as caught:
            run(*recut, f"heatmaps_from={tmp_path / 'nowhere'}")
        assert caught.value.key == "heatmaps_from"
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="4 of 4 images") as caught:
            run(*recut, f"heatmaps_from={tmp_path / 'empty'}")
        assert caught.value.path == tmp_path / f"empty/{IDS[0]}.npz"

    @pytest.mark.parametrize(
        ("options", "key"),
        [
            (("classifier_from=x",), "classifier_from"),
            (("seeds.keep_heatmaps=true",), "heatmaps_from"),
            (("heatmaps_from=null",), "classifier_from"),
        ],
    )
    def test_one_of_both_is_to_be_given(self, recut, options, key):
        with pytest.raises(ConfigError) as caught:
            run(*recut, *options)
        assert caught.value.key == key

    def test_the_audit_shows_them(self, told, recut, tmp_path):
        run(*told, "audit=true", f"run={tmp_path / 'plain'}")
        run(*recut, "audit=true")
        sizes = []
        for name in ("plain", "out"):
            with Image.open(tmp_path / name / "audit/seeds_worst_images.png") as picture:
                sizes.append(picture.size)
        assert sizes[1][1] > 1.5 * sizes[0][1]


def test_a_checkpoint_that_changed_is_not_mixed_with_the_maps_of_the_one_before(trained, told, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    given = (*told, f"classifier_from={tmp_path / 'run/classifier/last.ckpt'}")
    run(*given)
    content = torch.load(tmp_path / "run/classifier/last.ckpt", weights_only=True)
    content["state_dict"] = {k: v + 1 if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    torch.save(content, tmp_path / "run/classifier/last.ckpt")
    with pytest.raises(RunError, match=r"classifier_from content: 'crc32 \w+' then, 'crc32 \w+' now"):
        run(*given)


class TestAudit:
    """Scores of the maps against ground truth."""

    @pytest.fixture
    def out(self, tmp_path):
        return tmp_path / "out"

    def real_classes(self, city, image_id):
        path = city / f"gtFine/train/toyville/{image_id}_gtFine_labelIds.png"
        dataset_ids, values = [c.dataset_id for c in TOY_CITY.classes], read_map(path)
        return np.array([dataset_ids.index(v) if v in dataset_ids else 255 for v in values.ravel()]).reshape(
            values.shape
        )

    def test_figures_are_those_of_the_maps(self, city, told, out, capsys):
        assert run(*told, "audit=true") == []
        real = np.stack([self.real_classes(city, image_id) for image_id in IDS])
        found = np.stack([maps(out)[image_id] for image_id in IDS])
        valid = real != 255
        labelled, right = valid & (found != 255), valid & (found == real)
        content = json.loads((out / "audit/seeds.json").read_text())
        assert content["images"] == len(IDS)
        everything = content["all"]
        assert everything["labelled"] == pytest.approx(labelled.sum() / valid.sum())
        assert everything["precision"] == pytest.approx(right.sum() / labelled.sum())
        assert everything["recall"] == pytest.approx(right.sum() / valid.sum())
        by_image = labelled.sum(axis=(1, 2)) / valid.sum(axis=(1, 2))
        assert everything["mean_over_images"]["labelled"] == pytest.approx(by_image.mean())
        for k, name in enumerate(TOY_CITY.names):
            of_class = valid & (found == k)
            assert content["per_class"][name]["labelled"] == pytest.approx(of_class.sum() / valid.sum())
            if of_class.any():
                precision = (of_class & (real == k)).sum() / of_class.sum()
                assert content["per_class"][name]["precision"] == pytest.approx(precision)
        image = json.loads((out / f"audit/seeds/{IDS[1]}.json").read_text())
        assert image["precision"] == pytest.approx(right[1].sum() / labelled[1].sum())
        assert sum(row["labelled"] for row in image["per_class"].values()) == labelled[1].sum()
        assert len(content["worst_images"]) == len(IDS)
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("all "))
        assert line.split()[1] == f"{100 * everything['labelled']:.1f}"
        with Image.open(out / "audit/seeds_worst_images.png") as picture:
            assert min(picture.size) > 200

    def test_joined_from_earlier_images(self, told, out, tmp_path):
        run(*told, "audit=true")
        expected = results(out)
        for path in (out / "audit").iterdir():
            if path.is_file():
                path.unlink()
        (out / f"audit/seeds/{IDS[2]}.json").write_text("half")
        before = times(out)
        assert run(*told, "audit=true") == []
        assert results(out) == expected
        after = times(out)
        assert [name for name in before if before[name] != after[name]] == [f"audit/seeds/{IDS[2]}.json"]
        # The maps are the same without an audit.
        run(*told, f"run={tmp_path / 'plain'}")
        assert results(tmp_path / "plain") == {k: v for k, v in expected.items() if k.startswith("cam/")}

    def test_no_real_labels_is_said_before_work_starts(self, city, trained, told, out, tmp_path):
        shutil.copytree(city, tmp_path / "data")
        shutil.rmtree(tmp_path / "data/gtFine")
        weak = (f"data.root={tmp_path / 'data'}",
                f"data.weak_annotations={trained / 'weak_annotations.json'}")  # fmt: skip
        with pytest.raises(DataError, match=r"audit=true scores against ground truth, .*4 of 4 images"):
            run(*told, *weak, "audit=true")
        assert nothing_made(out)
        assert run(*told, *weak) == []

    def test_label_maps_alone_will_do(self, city, trained, told, out, tmp_path):
        run(*told, "audit=true")
        expected = json.loads((out / "audit/seeds.json").read_text())
        shutil.copytree(city, tmp_path / "data")
        for path in (tmp_path / "data").rglob("*_instanceIds.png"):
            path.unlink()
        weak = (f"data.root={tmp_path / 'data'}",
                f"data.weak_annotations={trained / 'weak_annotations.json'}")  # fmt: skip
        run(*told, *weak, "audit=true", f"run={tmp_path / 'other'}")
        assert json.loads((tmp_path / "other/audit/seeds.json").read_text()) == expected
