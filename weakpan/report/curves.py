"""Curves over the rounds of a run, as SVG to put into a page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weakpan.report.values import number

# Colours of Okabe and Ito's palette, told apart by colour-blind readers too, and legible on white and on black. A score
# looks the same in every chart.
_STYLES = {
    "labelled": ("#808080", "x"),
    "accuracy": ("#56b4e9", "P"),
    "miou": ("#0072b2", "o"),
    "pq": ("#d55e00", "s"),
    "pq_things": ("#009e73", "^"),
    "pq_stuff": ("#cc79a7", "D"),
    "ap": ("#e69f00", "v"),
    "tag_ap": ("#0072b2", "o"),
    "tags_satisfied": ("#56b4e9", "P"),
    "box_ap": ("#e69f00", "v"),
    "train_loss": ("#0072b2", "o"),
}

# Replaced by the colour of the text of the page, which is light on dark where the reader wants it so.
_INK = "#010203"


_Curve = tuple[tuple[str, str], str, list[tuple[int, float]]]
"""Colour and marker, label, points."""


@dataclass(frozen=True)
class Chart:
    """Which numbers share a chart.

    Attributes:
        title: above the chart.
        part: key of a round that holds the numbers, or None for the round itself.
        series: key and label of each curve.
        percent: whether the numbers are shares, 0..1, to be shown in per cent.
    """

    title: str
    part: str | None
    series: tuple[tuple[str, str], ...]
    percent: bool = True


CHARTS = (
    Chart(
        "Labels trained on, %",
        "labels",
        (("labelled", "labelled share"), ("accuracy", "accuracy"), ("miou", "mIoU"), ("pq", "PQ")),
    ),
    Chart(
        "Model on val, %",
        "val",
        (("miou", "mIoU"), ("pq", "PQ"), ("pq_things", "PQ things"), ("pq_stuff", "PQ stuff"), ("ap", "AP")),
    ),
    Chart(
        "Model on held-out boxes and tags, %",
        "held_out",
        (("tag_ap", "tag AP"), ("tags_satisfied", "tags found"), ("box_ap", "box AP")),
    ),
    Chart("Training loss", None, (("train_loss", "loss at the end of the round"),), percent=False),
)


def draw_charts(rounds: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Draw the charts that there are numbers for.

    Args:
        rounds: the `rounds` of a run's metrics; a value may be missing, None or not finite, and leaves a gap.

    Returns:
        Title and `<svg>` element of each chart with at least one number. The element has no fixed colour of text and
        no reference to anything outside, and its ids differ from those of the other charts.
    """
    drawn = []
    for index, chart in enumerate(CHARTS):
        curves = [
            (_STYLES[key], label, values) for key, label in chart.series if (values := _values(rounds, chart, key))
        ]
        if curves:
            drawn.append((chart.title, _svg(chart, curves, f"chart{index}-")))
    return drawn


def _values(rounds: Sequence[Mapping[str, Any]], chart: Chart, key: str) -> list[tuple[int, float]]:
    """Round and value of a curve, nan where the value is missing; empty if all of them are."""
    points = []
    for position, entry in enumerate(rounds):
        part = entry if chart.part is None else entry.get(chart.part) or {}
        value = number(part.get(key))
        scaled = math.nan if value is None else value * (100 if chart.percent else 1)
        points.append((int(entry.get("round", position)), scaled))
    return points if any(math.isfinite(v) for _, v in points) else []


def _svg(chart: Chart, curves: Sequence[_Curve], prefix: str) -> str:
    settings: Any = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    )
    settings |= {"svg.fonttype": "none", "svg.hashsalt": prefix, "font.family": "sans-serif", "font.size": 10}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for (color, marker), label, points in curves:
            axes.plot(*zip(*points, strict=True), label=label, color=color, marker=marker, markersize=5)
        if chart.percent:
            axes.set_ylim(-2, 102)
        else:
            axes.set_ylim(bottom=0)
        axes.margins(x=0.08)
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(color="#808080", alpha=0.3, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _inline(buffer.getvalue(), chart.title, prefix)


def _inline(document: str, title: str, prefix: str) -> str:
    """Turn an SVG document into an element for a page that may hold several."""
    element = document[document.index("<svg") :].replace(_INK, "currentColor")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", element)
    # The page sets the size; the view box keeps the proportions.
    opening = re.sub(r'\s(?:width|height)="[^"]*"', "", element[: element.index(">")])
    return f'{opening} role="img" aria-label="{title}, by round"' + element[element.index(">") :]
