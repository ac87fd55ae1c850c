"""make_gt.py stage=cams: the CAM maps of a run, made again from its classifier alone."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from loop_in_process import tiny_experiment, toy_city
from make_gt_in_process import results, run, times

from weakpan.errors import RunError, WeakpanError
from weakpan.images import read_map
from weakpan.stages.build import quieten_lightning
from weakpan.stages.cams import run_cams
from weakpan.stages.settings import claim_run_folder

IDS = [f"toyville_{k:06d}_000019" for k in range(4)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return toy_city(tmp_path_factory.mktemp("city") / "data")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, city):
    """A run folder as it is after its first stage."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    experiment = tiny_experiment(folder, city)
    claim_run_folder(experiment)
    quieten_lightning()
    run_cams(experiment, [])
    return folder


@pytest.fixture
def told(city, trained, tmp_path):
    return (
        "stage=cams", "data=toy_city", f"data.root={city}", "data.crop.height=40", "data.crop.width=60",
        f"source.checkpoint={trained / 'classifier/last.ckpt'}", f"out={tmp_path / 'out'}",
    )  # fmt: skip


def maps(out):
    return {p.name.removesuffix("_leftImg8bit.png"): read_map(p) for p in sorted((out / "cam/train").iterdir())}


def test_the_same_settings_give_the_same_maps(trained, told, tmp_path):
    assert run(*told) == []
    found = maps(tmp_path / "out")
    assert list(found) == IDS
    labelled = 0
    for image_id, values in found.items():
        np.testing.assert_array_equal(values, read_map(trained / "cams" / f"{image_id}.png"))
        labelled += int((values != 255).sum())
    assert labelled > 0


def test_from_weak_annotations_and_only_what_is_missing(trained, told, tmp_path):
    weak = ("source.boxes=annotations", "source.tags=annotations",
            f"source.annotations={trained / 'weak_annotations.json'}", "data.crop.width=77")  # fmt: skip
    run(*told, *weak)
    expected, before = results(tmp_path / "out"), times(tmp_path / "out")
    for image_id in IDS:
        own = read_map(trained / "cams" / f"{image_id}.png")
        np.testing.assert_array_equal(maps(tmp_path / "out")[image_id], own)
    (tmp_path / f"out/cam/train/{IDS[2]}_leftImg8bit.png").write_bytes(b"half")
    assert run(*told, *weak) == []
    assert results(tmp_path / "out") == expected
    after = times(tmp_path / "out")
    assert [name for name in before if before[name] != after[name]] == [f"cam/train/{IDS[2]}_leftImg8bit.png"]
    assert run(*told, *weak) == []
    assert times(tmp_path / "out") == after


def test_images_that_cannot_be_read_are_skipped(city, told, tmp_path):
    shutil.copytree(city, tmp_path / "data")
    path = tmp_path / f"data/leftImg8bit/train/toyville/{IDS[1]}_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:500])
    (tmp_path / "ids.txt").write_text("\n".join([*IDS, "ghost"]))
    given = (*told, f"data.root={tmp_path / 'data'}", f"data.list={tmp_path / 'ids.txt'}")
    with pytest.raises(WeakpanError, match="ghost"):
        run(*given)
    failures = run(*given, "on_error=skip")
    assert [image_id for image_id, _ in failures] == [IDS[1], "ghost"]
    assert "ends early" in failures[0][1]
    assert list(maps(tmp_path / "out")) == [IDS[0], IDS[2], IDS[3]]
    assert not (tmp_path / "out/cams.json").exists()


def test_a_table_of_other_classes(told):
    with pytest.raises(RunError, match=r"trained with classes road, .*data\.classes has road, sidewalk"):
        run(*told, "data.classes=camvid")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("gone/classifier/last.ckpt", "no such file"),
        ("last.ckpt", "not in its place; expected RUN/classifier/last.ckpt"),
        ("run/classifier/last.ckpt", "config.yaml: no such file, so"),
    ],
)
def test_checkpoints_that_are_none(told, tmp_path, path, part):
    if not path.startswith("gone"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"no weights")
    with pytest.raises(WeakpanError, match=part):
        run(*told, f"source.checkpoint={tmp_path / path}")


def test_a_damaged_checkpoint(told, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run/classifier/last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeakpanError, match=r"last\.ckpt"):
        run(*told, f"source.checkpoint={path}")
