"""Numbers as text, and charts: missing values stay missing."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from weakpan.report.curves import draw_charts
from weakpan.report.values import DASH, count, decimal, duration, number, percent


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.5", True, [], {}])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    assert number(value) is None
    assert [write(value) for write in (percent, count, decimal, duration)] == [DASH] * 4


def test_numbers_as_text() -> None:
    assert (percent(0), percent(0.5237), percent(1)) == ("0.0", "52.4", "100.0")
    assert (count(0), count(999), count(12345)) == ("0", "999", "12\N{NARROW NO-BREAK SPACE}345")
    assert (decimal(0.12345), decimal(1234.56)) == ("0.123", "1234.6")
    assert (duration(0.04), duration(95), duration(420), duration(7200)) == ("0.0 s", "95 s", "7.0 min", "2.0 h")


def entry(position: int, **val: float | None) -> dict[str, object]:
    return {"round": position, "train_loss": 1.0 / (position + 1), "labels": None, "val": val or None}


def markers(svg: str) -> int:
    """Points drawn: one <use> of a marker each; ticks and the legend are in groups of their own."""
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    axes = next(g for g in root.iter(f"{space}g") if g.get("id", "").endswith("axes_1"))
    lines = [g for g in axes if g.get("id", "").split("-")[-1].startswith("line2d")]
    return sum(len(list(g.iter(f"{space}use"))) for g in lines)


def test_only_charts_with_numbers_are_drawn() -> None:
    assert draw_charts([]) == []
    assert [title for title, _ in draw_charts([entry(0)])] == ["Training loss"]
    titles = [title for title, _ in draw_charts([entry(0, miou=0.5)])]
    assert titles == ["Model on val, %", "Training loss"]


def test_a_missing_value_is_a_gap_and_not_a_zero() -> None:
    rounds = [entry(0, miou=0.2), entry(1, miou=None), entry(2), entry(3, miou=math.nan), entry(4, miou=0.5)]
    svg = dict(draw_charts(rounds))["Model on val, %"]
    assert markers(svg) == 2
    assert "mIoU" in svg
    assert "PQ" not in svg


def test_higher_scores_are_drawn_higher() -> None:
    svg = dict(draw_charts([entry(0, miou=0.2), entry(1, miou=0.8)]))["Model on val, %"]
    root = ET.fromstring(svg)
    axes = next(g for g in root.iter() if g.get("id", "").endswith("axes_1"))
    line = next(g for g in axes if "line2d" in g.get("id", ""))
    uses = [u for u in line.iter() if u.tag.endswith("use")]
    assert float(uses[1].get("y")) < float(uses[0].get("y"))
    assert float(uses[1].get("x")) > float(uses[0].get("x"))


def test_charts_can_share_a_page() -> None:
    drawn = [svg for _, svg in draw_charts([entry(i, miou=0.5, pq=0.4) for i in range(3)])]
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in drawn]
    assert not ids[0] & ids[1]
    for svg, own in zip(drawn, ids, strict=True):
        assert svg.startswith("<svg")
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)) <= {(i, "") for i in own} | {
            ("", i) for i in own
        }
        assert "currentColor" in svg
        assert "#010203" not in svg


def test_charts_are_the_same_every_time() -> None:
    rounds = [entry(0, miou=0.5), entry(1, miou=0.6)]
    assert draw_charts(rounds) == draw_charts(rounds)
