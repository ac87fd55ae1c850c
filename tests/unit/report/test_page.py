"""The page: self-contained, honest about what is missing, safe with names of others, written whole."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from weakpan.basics.catalog import CAMVID
from weakpan.report.embed import embed, embed_all
from weakpan.report.page import PanelRow, write_report
from weakpan.report.pictures import color_semantic
from weakpan.report.values import DASH

VAL_KEYS = tuple(f"{key}{kind}" for kind in ("", "_things", "_stuff") for key in ("pq", "sq", "rq"))


def metrics(count: int = 2, **changes: Any) -> dict[str, Any]:
    names = ["road", "person", "rider"]
    return {
        "format": "weakpan-metrics",
        "version": 1,
        "dataset": "camvid",
        "supervision": "weak",
        "supervision_used": ["boxes of things", "tags of 180 x 240 crops"],
        "classes": [{"name": name, "thing": name != "road"} for name in names],
        "command": "python train.py data=camvid",
        "config_yaml": "data:\n  name: camvid\n",
        "warnings": ["12 boxes without a mask"],
        "stopped": "rounds.n reached",
        "classifier": {"loss": 0.913, "seconds": 30.0},
        "masks": {"boxes": 310, "without_mask": 21, "seconds": 9.5},
        "rounds": [round_entry(i, names) for i in range(count)],
    } | changes


def round_entry(index: int, names: list[str]) -> dict[str, Any]:
    label = {"labelled": 0.5, "precision": 0.8, "recall": 0.4, "iou": 0.375, "pq": 0.2}
    scores = dict.fromkeys(("iou", "pq", "sq", "rq", "ap", "ap50"), 0.111)
    return {
        "round": index,
        "epochs": 3,
        "train_loss": 1.5 - index,
        "seconds": {"fit": 60.0, "relabel": 5.0, "score": 2.0},
        "labels": {
            "images": 367, "labelled": 0.5, "accuracy": 0.9, "miou": 0.4567, "pq": 0.2, "boxes": 10,
            "boxes_without_mask": 1, "per_class": dict.fromkeys(names, label),
        },
        "val": {"images": 101, "miou": 0.321 + index / 10, "ap": 0.01, "ap50": 0.02}
        | dict.fromkeys(VAL_KEYS, 0.25)
        | {"per_class": dict.fromkeys(names, scores)},
    }  # fmt: skip


class Page(HTMLParser):
    """What a browser would see: references, text, and whether every element is closed."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.references: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.cells: list[tuple[str | None, str]] = []
        self.text = ""
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append((dict(attrs).get("class"), ""))
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "action", "data")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] = (self.cells[-1][0], self.cells[-1][1] + data)

    def rows(self) -> list[list[str]]:
        """Texts of the table rows."""
        body = [
            re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)
            for row in re.findall(r"<tr>(.*?)</tr>", self.source, re.S)
        ]
        return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in body]


def gallery(rows: int = 2, size: tuple[int, int] = (36, 48)) -> list[PanelRow]:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    labels = color_semantic(rng.integers(0, 11, (size[0] // 12, size[1] // 12), dtype=np.uint8), CAMVID)
    labels = labels.repeat(12, axis=0).repeat(12, axis=1)
    return [PanelRow(f"frame_{i}", (("image and boxes", photo), ("labels, round 0", labels))) for i in range(rows)]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", metrics(), gallery(), CAMVID)
    page = Page(tmp_path / "report.html")
    assert page.open == []
    assert page.references
    assert all(r.startswith(("data:image/", "#")) for r in page.references)
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", page.source)
    # Names of XML vocabularies are the only addresses, and no browser asks for those.
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page.source))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_supervision_headline_and_rounds_are_shown(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", metrics(), [])
    page = Page(tmp_path / "report.html")
    for text in ("camvid: weak supervision", "boxes of things", "tags of 180 x 240 crops", "Last round (1)",
                 "Best round by PQ on val (0)", "12 boxes without a mask", "rounds.n reached",
                 "Crop classifier: loss 0.913", "python train.py data=camvid", "name: camvid"):  # fmt: skip
        assert text in page.text, text
    assert [
        "1",
        "3",
        "0.500",
        "367",
        "50.0",
        "90.0",
        "45.7",
        "20.0",
        "10",
        "1",
        "60 s",
        "5.0 s",
        "2.0 s",
    ] in page.rows()
    assert ["1", "101", "42.1", *["25.0"] * 9, "1.0", "2.0", *[DASH] * 3] in page.rows()


def test_the_best_round_is_by_miou_where_there_is_no_pq(tmp_path: Path) -> None:
    content = metrics(3)
    for entry in content["rounds"]:
        entry["val"]["pq"] = None
    content["rounds"][1]["val"]["miou"] = 0.9
    write_report(tmp_path / "report.html", content, [])
    assert "Best round by mIoU on val (1)" in Page(tmp_path / "report.html").text


@pytest.mark.parametrize(
    "content",
    [
        {},
        metrics(0),
        dict.fromkeys(metrics()),
        metrics(1, rounds=[{"round": 0}]),
        metrics(1, rounds=[dict.fromkeys(round_entry(0, [])) | {"round": 0}]),
        metrics(1, rounds=[{"round": 0, "val": {"per_class": {"road": None}}, "labels": {"per_class": None}}]),
        metrics(1, classifier={}, masks={}),
    ],
)
def test_any_part_may_be_missing(tmp_path: Path, content: dict[str, Any]) -> None:
    write_report(tmp_path / "report.html", content, [])
    page = Page(tmp_path / "report.html")
    assert page.open == []
    assert "None" not in page.text
    assert "nan" not in page.text.split()
    assert ("No round has ended yet" in page.text) == (not content.get("rounds"))


def test_scores_that_were_not_taken_are_dashes_and_not_zeros(tmp_path: Path) -> None:
    content = metrics(1, rounds=[round_entry(0, ["road"]) | {"val": None, "labels": None}])
    write_report(tmp_path / "report.html", content, [])
    page = Page(tmp_path / "report.html")
    assert ["0", *[DASH] * 16] in page.rows()
    assert "0.0" not in [text for row in page.rows() for text in row]
    assert "Best round" not in page.text
    # Where nothing was scored no class has failed.
    assert "zero or missing" not in page.text
    assert not [c for c, _ in page.cells if c in ("zero", "none")]


def test_classes_that_failed_stand_out(tmp_path: Path) -> None:
    content = metrics(1)
    per_class = content["rounds"][0]["val"]["per_class"]
    per_class["person"] = per_class["person"] | {"iou": 0.0}
    per_class["rider"] = per_class["rider"] | {"iou": None}
    per_class["road"] = per_class["road"] | {"ap": None, "ap50": None}
    write_report(tmp_path / "report.html", content, [], CAMVID)
    page = Page(tmp_path / "report.html")
    assert "IoU on val is zero or missing: person, rider" in page.text
    assert [text for c, text in page.cells if c == "zero"] == ["0.0"]
    assert [text for c, text in page.cells if c == "none"] == [DASH]  # and not the AP of road, which is stuff
    assert "background:#dc143c" in page.source  # the colour of person in the table and the legend


def test_the_class_table_takes_the_last_round_that_was_scored(tmp_path: Path) -> None:
    content = metrics(3)
    content["rounds"][2]["val"] = None
    write_report(tmp_path / "report.html", content, [])
    text = Page(tmp_path / "report.html").text
    assert "model on val, round 1" in text
    assert "labels, round 2" in text


def test_text_of_others_is_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    content = metrics(1, **dict.fromkeys(("dataset", "supervision", "command", "config_yaml", "stopped"), evil))
    content |= {"classes": [{"name": evil, "thing": True}], "warnings": [evil], "supervision_used": [evil]}
    content["rounds"][0]["val"]["per_class"] = {evil: {"iou": 0.0}}
    row = PanelRow(f'"><img src=x onerror=1>{evil}', ((evil, np.zeros((4, 4, 3), np.uint8)),))
    write_report(tmp_path / "report.html", content, [row])
    page = Page(tmp_path / "report.html")
    assert evil not in page.source
    assert page.text.count(evil) >= 9
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 2  # the picture and the empty one that enlarges it


def test_pictures_come_through(tmp_path: Path) -> None:
    rows = gallery(1)
    write_report(tmp_path / "report.html", metrics(), rows)
    page = Page(tmp_path / "report.html")
    uris = [r for r in page.references if r.startswith("data:")]
    assert [u.split(";")[0] for u in uris] == ["data:image/jpeg", "data:image/png"]
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(u.split(",")[1]), np.uint8), 1)[..., ::-1] for u in uris]
    np.testing.assert_array_equal(decoded[1], rows[0].columns[1][1])
    assert "frame_0" in page.text
    assert "labels, round 0" in page.text


def test_the_page_stays_small_however_many_pictures_there_are(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    rows = [PanelRow(str(i), (("a", noise), ("b", noise))) for i in range(12)]
    write_report(tmp_path / "report.html", metrics(), rows)
    assert 2_000_000 < (tmp_path / "report.html").stat().st_size < 8_000_000
    page = Page(tmp_path / "report.html")
    assert sum(r.startswith("data:") for r in page.references) == 24
    assert "left out" not in page.text


def test_what_does_not_fit_is_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weakpan.report.page.PICTURE_BUDGET", 12_000)
    write_report(tmp_path / "report.html", metrics(), gallery(9))
    page = Page(tmp_path / "report.html")
    shown = sum(r.startswith("data:") for r in page.references) // 2
    assert 0 < shown < 9
    assert f"{9 - shown} more images left out" in page.text


def test_a_map_is_kept_exactly_and_a_photograph_is_not_made_larger() -> None:
    labels = color_semantic(np.repeat(np.arange(10, dtype=np.uint8), 20)[None].repeat(100, 0), CAMVID)
    assert embed(labels, 960, 85).uri.startswith("data:image/png")
    y, x = np.mgrid[:240, :320]
    rng = np.random.default_rng(0)
    photo = np.stack([x / 2, y, (x + y) / 3], -1) + rng.normal(0, 4, (240, 320, 3))
    small = embed(photo.clip(0, 255).astype(np.uint8), 960, 85)
    assert small.uri.startswith("data:image/jpeg")
    assert (small.height, small.width) == (240, 320)
    reduced = embed(photo.clip(0, 255).astype(np.uint8), 160, 85)
    assert (reduced.height, reduced.width) == (120, 160)


def test_embedding_no_pictures_and_rows_without_pictures() -> None:
    assert embed_all([], 100) == []
    assert embed_all([[], []], 100) == [[], []]


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_report(path, metrics(1), [])
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, metrics(2), [])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_folder_is_made_and_the_page_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / name / "report.html", metrics(), gallery(), CAMVID)
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()
