"""Files of the record: whole, readable by others, merged in one pass."""

import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.unit.labels.label_cases import catalog_of
from weakpan.basics.catalog import Catalog, ClassInfo
from weakpan.basics.errors import DataError
from weakpan.labels.pipeline import LabelRules
from weakpan.labels.trail import NO_LABEL, AuditTrail, total
from weakpan.labels.trail_store import AuditStore
from weakpan.storage.images import write_png

CATALOG = catalog_of(False, True)


def trail_of(seed):
    rng = np.random.default_rng(seed)
    trail = AuditTrail(rng.choice([0, 1, 255], (7, 11)).astype(np.uint8), LabelRules())
    for step in ("tag_check", "low_iou_fill"):
        trail(step, rng.choice([0, 1, 255], (7, 11)).astype(np.uint8))
    trail.add_instances(rng.choice([-1, 0, 1], (7, 11)).astype(np.int32))
    return trail


@pytest.fixture
def store(tmp_path):
    store = AuditStore(tmp_path / "round_00" / "audit")
    for seed, image_id in enumerate(("a", "b.c")):
        store.write(image_id, trail_of(seed), CATALOG)
    return store


def test_record_of_an_image_comes_back(store):
    assert store.has("b.c")
    assert not store.has("b")
    np.testing.assert_array_equal(store.read_rules("b.c"), trail_of(1).deciding_rule())
    assert store.read_changes("b.c") == trail_of(1).changes(CATALOG)


def test_map_of_rules_is_seen_in_its_colors(store):
    with Image.open(store.rules_path("a")) as image:
        assert image.mode == "P"
        shown = np.asarray(image.convert("RGB"))
    trail = trail_of(0)
    colors = np.array([rule.color for rule in trail.table.classes])
    np.testing.assert_array_equal(shown, colors[trail.deciding_rule()])


@pytest.mark.parametrize("name", ["a_rules.png", "a_changes.csv"])
def test_half_an_image_is_not_there(store, name):
    (store.folder / name).unlink()
    assert not store.has("a")


def test_crash_between_the_files_leaves_no_half_image(store, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(AuditTrail, "deciding_rule", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write("new", trail_of(3), CATALOG)
    assert not store.has("new")


def test_table_of_the_set_holds_the_rows_of_all_images_in_order(store):
    totals = store.merge(["b.c", "a"])
    with store.table_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image_id", "step", "from", "to", "pixels"]
    expected = [("b.c", *c) for c in trail_of(1).changes(CATALOG)] + [("a", *c) for c in trail_of(0).changes(CATALOG)]
    assert [(*list(r.values())[:4], int(r["pixels"])) for r in rows] == expected
    assert totals == total(trail_of(0).changes(CATALOG)) + total(trail_of(1).changes(CATALOG))
    assert store.merge(["a"]) == total(trail_of(0).changes(CATALOG))  # again, and for other images
    assert not [p for p in store.folder.iterdir() if p.name.startswith(".")]


def test_table_is_not_replaced_by_half_a_table(store):
    store.merge(["a", "b.c"])
    before = store.table_path.read_bytes()
    with pytest.raises(DataError, match=r"gone_changes\.csv: no such table of changes"):
        store.merge(["a", "gone"])
    assert store.table_path.read_bytes() == before
    assert not [p for p in store.folder.iterdir() if p.name.startswith(".")]


def test_names_with_commas_quotes_and_line_breaks_survive(tmp_path):
    names = ('road, "wet"', "pole\r\nor post")
    catalog = Catalog("odd", tuple(ClassInfo(n, i, (i, 0, 0), False) for i, n in enumerate(names)))
    store = AuditStore(tmp_path)
    store.write("a,b", trail_of(0), catalog)
    assert {c.before for c in store.read_changes("a,b")} == {*names, NO_LABEL}
    totals = store.merge(["a,b"])
    with store.table_path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {r["image_id"] for r in rows} == {"a,b"}
    assert Counter({(r["step"], r["from"], r["to"]): int(r["pixels"]) for r in rows}) == totals


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not enough values"),
        ("step,from,to\n", "columns step, from, to; expected step, from, to, pixels"),
        ("step,from,to,pixels\ninput,road,road\n", "not enough values"),
        ("step,from,to,pixels\ninput,road,road,many\n", "invalid literal"),
    ],
)
def test_damaged_table_is_named(store, content, message):
    store.changes_path("a").write_text(content)
    with pytest.raises(DataError, match=rf"a_changes\.csv: not a table of changes \(.*{message}"):
        store.read_changes("a")


def test_other_maps_are_not_taken_for_maps_of_rules(store):
    write_png(store.rules_path("a"), np.zeros((2, 2), np.uint16))
    with pytest.raises(DataError, match="expected 8 bits") as caught:
        store.read_rules("a")
    assert caught.value.path == store.rules_path("a")


@pytest.mark.parametrize("image_id", ["", "..", "../a", "x/y"])
def test_ids_cannot_leave_the_folder(store, image_id):
    for action in (store.has, store.read_changes, lambda i: store.write(i, trail_of(0), CATALOG)):
        with pytest.raises(DataError, match="no plain file name"):
            action(image_id)
