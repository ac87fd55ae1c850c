"""The page of results of a run: one HTML file that needs nothing beside it and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from weakpan import __version__
from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.report.curves import draw_charts
from weakpan.report.embed import embed_all
from weakpan.report.tables import class_table, headlines, round_table, val_table
from weakpan.report.values import count, decimal, duration, percent
from weakpan.storage.files import write_text_atomically

PICTURE_BUDGET = 7_000_000
"""Characters that the pictures of a page may take; with the rest it stays below 8 MB."""


@dataclass(frozen=True)
class PanelRow:
    """One image of the gallery.

    Attributes:
        image_id: file name of the image without folder and suffix.
        columns: caption and (H, W, 3) uint8 RGB picture, from left to right.
    """

    image_id: str
    columns: tuple[tuple[str, RGBImage], ...]


def write_report(
    path: Path, metrics: Mapping[str, Any], panels: Sequence[PanelRow], catalog: Catalog | None = None
) -> None:
    """Write the page, atomically.

    Args:
        path: of the HTML file.
        metrics: content of the run's `metrics.json` (format `weakpan-metrics`, version 1). Scores are shares, 0..1,
            and shown in per cent; a value that is missing or None is shown as a dash.
        panels: the gallery. Pictures are reduced, all to the same size, until the page stays below 8 MB; images that
            do not fit even so are left out and counted on the page.
        catalog: gives the colours of the legend; without it the legend has names alone.
    """
    pictures = embed_all([[picture for _, picture in row.columns] for row in panels], PICTURE_BUDGET)
    gallery = [
        (row.image_id, list(zip([caption for caption, _ in row.columns], embedded, strict=True)))
        for row, embedded in zip(panels, pictures, strict=False)
    ]
    content = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            **_numbers(metrics),
            gallery=gallery,
            left_out=len(panels) - len(gallery),
            colors={} if catalog is None else {c.name: "#{:02x}{:02x}{:02x}".format(*c.color) for c in catalog.classes},
            version=__version__,
        )
    )
    write_text_atomically(path, content)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows of the metrics, with every optional part present."""
    rounds = list(metrics.get("rounds") or [])
    classes = list(metrics.get("classes") or [])
    texts = {
        key: str(metrics.get(key) or "") for key in ("dataset", "supervision", "command", "config_yaml", "stopped")
    }
    return {
        **texts,
        "supervision_used": [str(line) for line in metrics.get("supervision_used") or []],
        "warnings": [str(line) for line in metrics.get("warnings") or []],
        "classifier": metrics.get("classifier"),
        "masks": metrics.get("masks"),
        "classes": classes,
        "headlines": headlines(rounds),
        "charts": [(title, Markup(svg)) for title, svg in draw_charts(rounds)],
        "rounds": round_table(rounds),
        "val": val_table(rounds),
        "by_class": class_table(classes, rounds),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # class names and paths come from users' files
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count, "decimal": decimal, "duration": duration}
    return environment
