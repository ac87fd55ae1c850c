"""Labels through the files, bit for bit: the released layout in, the published rules written out beside it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integration.make_gt_in_process import run, run_with, settings
from tests.integration.released_files import (
    GRID,
    SUFFIX,
    Frame,
    cityscapes_frames,
    expected_labels,
    load,
    random_frame,
    special_frames,
    write_table,
    write_tree,
)
from weakpan.basics.catalog import CITYSCAPES

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
KINDS = {
    "train_ids": (),
    "dataset_ids": (),
    "mat": ("data.boxes=mat",),
}
SETTINGS = {
    "round 0": ("round=0",),
    "round 1": ("round=1",),
    "round 5": ("round=5", "labels.rules.low_iou_fill.threshold=0.9"),
    "round 6": ("round=6",),
    "low score": ("round=1", "labels.rules.score_threshold.minimum=0.5", "labels.rules.low_iou_fill.threshold=0.9"),
    "over things": ("round=1", "labels.rules.low_iou_fill.over_things=true", "labels.rules.low_iou_fill.threshold=0.9"),
    "coarse 0": ("labels=coarse", "round=0"),
    "coarse 1": ("labels=coarse", "round=1"),
    "kept share": ("labels=default", "round=2", "labels.rules.low_iou_fill.threshold=1.0"),
    "some rules": (
        "round=1",
        "labels.rules.score_threshold=null",
        "labels.rules.mask_merge=null",
        "labels.rules.box_prior=null",
    ),
    "another order": ("round=1",),
    "no rules": ("round=3",),
    "masks for no round": ("round=1", "labels.rules.mask_merge.last_round=0"),
}
IN_ORDER = {"another order": ("low_iou_fill", "box_prior", "mask_merge", "score_threshold"), "no rules": ()}
WITH_MAT = ("round 0", "round 1", "coarse 1")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Root, results folder and ids of a tree of each kind, written once."""
    made = {}
    for seed, kind in enumerate(KINDS):
        folder, frames = tmp_path_factory.mktemp(kind), cityscapes_frames(seed)
        write_tree(folder / "data", folder / "results", frames, CITYSCAPES, kind, np.random.default_rng(seed))
        (folder / "ids.txt").write_text("\n".join(f.image_id for f in frames))
        made[kind] = folder, [f.image_id for f in frames]
    return made


def common(folder, out):
    return (
        "stage=labels", "data=cityscapes", "layout=released", f"data.root={folder / 'data'}",
        f"layout.inputs={folder / 'results'}", f"data.crop.height={GRID.height}", f"data.crop.width={GRID.width}",
        f"run={out}",
    )  # fmt: skip


def compare(folder, ids, catalog, kind, overrides, order=None):
    """Run, and hold every file against the reference; returns what was labelled and what was not."""
    out = folder / "out"
    config = settings("workers=1", *common(folder, out), *overrides)
    if order is not None:
        config.labels["rules"] = {name: config.labels["rules"][name] for name in order}
    rules = config.label_rules
    assert run_with(config) == []
    values = []
    for image_id in ids:
        semantic, instances = expected_labels(
            folder / "data", folder / "results", image_id, catalog, kind, rules, config.round
        )
        found = load(out / f"pred_sem_clean/{image_id}{SUFFIX}.png")
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, semantic, err_msg=image_id)
        path = out / f"pred_ins_clean/{image_id}{SUFFIX}.png"
        assert path.is_file() == rules.instances
        if rules.instances:
            found = load(path)
            np.testing.assert_array_equal(found, instances, err_msg=image_id)
            assert found.dtype == instances.dtype
            values += np.unique(instances).tolist()
        values += np.unique(semantic).tolist()
    assert len(list((out / "pred_sem_clean").iterdir())) == len(ids)
    return set(values)


def test_rules_that_released_predictions_have_no_input_for_are_named(trees, tmp_path, caplog):
    folder, _ = trees[next(iter(KINDS))]
    caplog.set_level("WARNING", "weakpan")
    assert run_with(settings("workers=1", *common(folder, tmp_path / "out"), "labels=default", "round=1")) == []
    assert "these rules are left out: candidates, diffusion" in caplog.text


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in (WITH_MAT if k == "mat" else SETTINGS)])
def test_cityscapes(trees, tmp_path, kind, name):
    folder, ids = trees[kind]
    (tmp_path / "data").symlink_to(folder / "data")
    (tmp_path / "results").symlink_to(folder / "results")
    lists = (f"data.train_list={folder / 'ids.txt'}",) if kind == "mat" else ()
    values = compare(tmp_path, ids, CITYSCAPES, kind, (*SETTINGS[name], *KINDS[kind], *lists), IN_ORDER.get(name))
    # Of nothing but 255 any two programs make the same.
    assert len(values) > 15


@pytest.mark.parametrize(("count", "mode", "unlabelled"), [(254, "P", 255), (255, "I;16", 65535)])
def test_more_than_254_instances_take_16_bits(tmp_path, count, mode, unlabelled):
    numbers = np.minimum(np.arange(15 * 17), count - 1).reshape(15, 17).repeat(4, 0).repeat(4, 1)
    frame = Frame("town_crowd", np.full(numbers.shape, CITYSCAPES.thing_ids[2], np.uint8), numbers)
    frame.semantic[:2] = 255
    write_tree(tmp_path / "data", tmp_path / "results", [frame], CITYSCAPES, "train_ids", np.random.default_rng(0))
    given = ("round=1", "labels.rules.low_iou_fill.threshold=1")
    compare(tmp_path, [frame.image_id], CITYSCAPES, "train_ids", given)
    with Image.open(tmp_path / f"out/pred_ins_clean/town_crowd{SUFFIX}.png") as image:
        assert image.mode == mode
        values = np.unique(np.array(image)).tolist()
    assert values[-2:] == [count, unlabelled]


@pytest.mark.parametrize("things", [[True, False, True], [True], [False], [False, True]])
@pytest.mark.parametrize("overrides", [("round=0",), ("round=1", "labels.rules.low_iou_fill.threshold=0.9")])
def test_class_tables_of_ones_own(tmp_path, things, overrides):
    rng = np.random.default_rng(len(things))
    catalog = write_table(tmp_path / "table.json", things)
    frames = [random_frame(rng, "town_1", catalog, 70, 101), *special_frames(rng, catalog)]
    write_tree(tmp_path / "data", tmp_path / "results", frames, catalog, "dataset_ids", rng)
    table = f"data.classes={tmp_path / 'table.json'}"
    values = compare(tmp_path, [f.image_id for f in frames], catalog, "dataset_ids", (*overrides, table))
    assert len(values) > 1


def test_the_colours_of_the_results(trees, tmp_path):
    folder, _ = trees["dataset_ids"]
    run(*common(folder, tmp_path), "round=0")
    with Image.open(tmp_path / f"pred_sem_clean/city_0{SUFFIX}.png") as image:
        assert image.mode == "P"
        palette = np.array(image.getpalette()).reshape(-1, 3)
    assert palette[: len(CITYSCAPES.classes)].tolist() == [list(c.color) for c in CITYSCAPES.classes]
    assert palette[255].tolist() == [0, 0, 0]


@pytest.mark.skipif(
    not (DATA / "released_sample").is_dir(), reason="the released frame is not there (set WEAKPAN_DATA)"
)
@pytest.mark.parametrize(("round_index", "name"), [(0, "cam_mandg_merged"), (1, "clean")])
def test_what_the_authors_own_code_made_of_a_frame(tmp_path, round_index, name):
    frame = "aachen_000000_000019"
    (tmp_path / "ids.txt").write_text(frame)
    run(
        "stage=labels", "data=cityscapes", "layout=released", f"data.root={DATA / 'cityscapes_sample'}",
        f"run={tmp_path / 'out'}", f"layout.inputs={DATA / 'released_sample/results'}",
        f"data.train_list={tmp_path / 'ids.txt'}", f"round={round_index}",
    )  # fmt: skip
    for what in ("sem", "ins"):
        found = load(tmp_path / f"out/pred_{what}_clean/{frame}{SUFFIX}.png")
        expected = load(DATA / f"released_sample/expected/pred_{what}_{name}/{frame}{SUFFIX}.png")
        np.testing.assert_array_equal(found, expected)
