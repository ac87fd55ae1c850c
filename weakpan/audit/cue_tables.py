"""Scores of cues as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weakpan.evaluation.box_scores import READINGS
from weakpan.report.values import percent

_MASK_HEAD = ("", "boxes", "unmatched", "IoU", "precision", "recall", "px inst.", "px class", "px recall", "ellipse",
              "box", "perfect")  # fmt: skip
_FELL_BACK = {"not needed": "did not fall back"}
_CAM_HEAD = ("", "labelled", "precision", "recall", "labelled/image", "precision/image", "recall/image")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a table: the first column to the left, the others to the right, two blanks between them.

    Returns:
        Lines without a line break at the end.

    Raises:
        ValueError: a row of another length.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def mask_table(summary: Mapping[str, Any]) -> str:
    """The groups of `summarise_boxes`, one a line, shares in per cent.

    `unmatched` are boxes without a real instance. IoU, precision and recall are means over boxes; `px inst.`,
    `px class` and `px recall` are instance precision, class precision and recall of the pixels of all boxes; the last
    three are the IoUs of the controls.
    """
    named = [("all", summary["all"])]
    named += list(summary["by_class"].items())
    named += [(f"{name} boxes", group) for name, group in summary["by_size"].items()]
    named += [(_FELL_BACK.get(name, f"fell back: {name}"), group) for name, group in summary["by_fallback"].items()]
    return text_table(_MASK_HEAD, [_mask_row(name, group) for name, group in named])


def cam_table(summary: Mapping[str, Any]) -> str:
    """The classes of `summarise_cams`, one a line, shares in per cent: of all pixels, and as means over the images.

    Classes that neither the maps nor the ground truth hold are left out.
    """
    present = {n: f for n, f in summary["per_class"].items() if (f["precision"], f["recall"]) != (None, None)}
    rows = [("all", summary["all"]), *present.items()]
    return text_table(_CAM_HEAD, [_cam_row(name, figures) for name, figures in rows])


def _mask_row(name: str, group: Mapping[str, Any]) -> list[str]:
    keys = ("iou", "precision", "recall", "instance_precision", "class_precision", "pixel_recall")
    shares = [group["mask"][key] for key in keys] + [group[name]["iou"] for name in READINGS[1:]]
    return [name, str(group["boxes"]), str(group["boxes_without_real_instance"]), *map(percent, shares)]


def _cam_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    keys, means = ("labelled", "precision", "recall"), figures["mean_over_images"]
    return [name, *(percent(figures[key]) for key in keys), *(percent(means[key]) for key in keys)]
