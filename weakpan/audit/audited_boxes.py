"""Scores of boxes as files hold them: an entry of a JSON record, a row of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import Box
from weakpan.evaluation.box_scores import READINGS, BoxScore, PixelCounts
from weakpan.evaluation.box_summary import AuditedBox
from weakpan.masks.result import BoxRecord
from weakpan.storage.files import replacing

COLUMNS = ("image_id", "index", "class", "xmin", "ymin", "xmax", "ymax", "size", "fallback", "cover", "iou",
           "precision", "recall", "ellipse_iou", "whole_box_iou", "perfect_iou")  # fmt: skip


def corners(box: Box) -> list[int]:
    """`[xmin, ymin, xmax, ymax]`, 0-based and inclusive."""
    return [box.xmin, box.ymin, box.xmax, box.ymax]


def to_entry(score: BoxScore, record: BoxRecord, catalog: Catalog) -> dict[str, Any]:
    """What a JSON file says of a scored box.

    Returns:
        `index`, `class`, `box` (`corners`), `fallback` and `cover` of the record; for a box with a real instance also
        `real`, its pixels, and for each of `READINGS` the pixels of the mask (`pixels`), those on the instance
        (`shared`) and those on the class (`of_class`).
    """
    entry: dict[str, Any] = {
        "index": score.index,
        "class": catalog.names[score.box.class_id],
        "box": corners(score.box),
        "fallback": str(record.fallback),
        "cover": record.cover,
    }
    for name, counts in score.counts.items():
        entry["real"] = counts.real
        entry[name] = {"pixels": counts.pixels, "shared": counts.shared, "of_class": counts.of_class}
    return entry


def from_entry(image_id: str, entry: dict[str, Any], catalog: Catalog) -> AuditedBox:
    """The scored box; raises KeyError, TypeError, ValueError or DataError for an entry that is not of this form."""
    xmin, ymin, xmax, ymax = entry["box"]
    box = Box(catalog.train_id_named(entry["class"]), xmin, ymin, xmax, ymax)
    names = READINGS if "real" in entry else ()
    counts = {name: PixelCounts(real=entry["real"], **entry[name]) for name in names}
    return AuditedBox(
        image_id, entry["class"], BoxScore(entry["index"], box, counts), entry["fallback"], entry["cover"]
    )


def name_of(box: AuditedBox) -> dict[str, Any]:
    """What tells a box from all others, and what became of it."""
    return {
        "image_id": box.image_id,
        "index": box.score.index,
        "class": box.class_name,
        "box": corners(box.score.box),
        "size": box.size,
        "fallback": box.fallback,
        "iou": box.iou if box.is_scored else None,
    }


def write_box_table(path: Path, boxes: Iterable[AuditedBox]) -> None:
    """Write `COLUMNS` of every box as CSV, atomically; what cannot be said is empty."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(map(_row, boxes))


def _row(box: AuditedBox) -> list[Any]:
    row = [box.image_id, box.score.index, box.class_name, *corners(box.score.box), box.size, box.fallback]
    scores: list[float | None] = [None] * (len(READINGS) + 2)
    if box.is_scored:
        mask, *controls = (box.score.counts[name] for name in READINGS)
        scores = [mask.iou, mask.precision, mask.recall, *(counts.iou for counts in controls)]
    return [*row, f"{box.cover:.4f}", *("" if v is None else f"{v:.4f}" for v in scores)]
