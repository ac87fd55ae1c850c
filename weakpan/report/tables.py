"""The tables of the page of results: numbers of a run become rows of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weakpan.report.values import DASH, count, decimal, duration, number, percent

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A value in a table.

    Attributes:
        text: what is shown.
        flag: "zero" or "none" for a score that deserves attention, else "".
    """

    text: str
    flag: str = ""


@dataclass(frozen=True)
class Table:
    """A table with columns in groups.

    Attributes:
        groups: heading and number of columns of each group.
        head: heading of every column.
        rows: cells of every row, as many as `head`.
    """

    groups: tuple[tuple[str, int], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class ClassTable:
    """The scores of the classes.

    Attributes:
        table: one row a class; the first cell is its name, the second its kind.
        failing: names of the classes whose IoU on val is zero or none.
    """

    table: Table
    failing: tuple[str, ...]


Column = tuple[str, str, str, Callable[[Any], str]]
"""Key of the part of a round ("" for the round itself), key in it, heading, how to write it."""

_ROUND_GROUPS: tuple[tuple[str, tuple[Column, ...]], ...] = (
    ("", (("", "round", "round", count),)),
    ("training", (("", "epochs", "epochs", count), ("", "train_loss", "loss", decimal))),
    (
        "labels trained on, against ground truth",
        (
            ("labels", "images", "images", count),
            ("labels", "labelled", "labelled", percent),
            ("labels", "accuracy", "accuracy", percent),
            ("labels", "miou", "mIoU", percent),
            ("labels", "pq", "PQ", percent),
            ("labels", "boxes", "boxes", count),
            ("labels", "boxes_without_mask", "without a pixel", count),
        ),
    ),
    ("time", tuple(("seconds", key, key, duration) for key in ("fit", "relabel", "score"))),
)

_VAL_GROUPS: tuple[tuple[str, tuple[Column, ...]], ...] = (
    ("", (("", "round", "round", count), ("val", "images", "images", count), ("val", "miou", "mIoU", percent))),
    *(
        (kind, tuple(("val", f"{key}{suffix}", key.upper(), percent) for key in ("pq", "sq", "rq")))
        for kind, suffix in (("all classes", ""), ("things", "_things"), ("stuff", "_stuff"))
    ),
    ("instances of things", (("val", "ap", "AP", percent), ("val", "ap50", "AP50", percent))),
    (
        "by boxes and tags alone",
        (
            ("held_out", "tag_ap", "tag AP", percent),
            ("held_out", "tags_satisfied", "tags found", percent),
            ("held_out", "box_ap", "box AP", percent),
        ),
    ),
)

_CLASS_LABELS = ("labelled", "precision", "recall", "iou", "pq")
_CLASS_VAL = ("iou", "pq", "sq", "rq", "ap", "ap50")
_THINGS_ONLY = {"ap", "ap50"}
_HEADINGS = {"iou": "IoU"} | {key: key.upper() for key in ("pq", "sq", "rq", "ap", "ap50")}


def round_table(rounds: Sequence[Metrics]) -> Table:
    """Training, labels and time of every round."""
    return _table(_ROUND_GROUPS, rounds)


def val_table(rounds: Sequence[Metrics]) -> Table:
    """Scores on val of every round."""
    return _table(_VAL_GROUPS, rounds)


def class_table(classes: Sequence[Metrics], rounds: Sequence[Metrics]) -> ClassTable:
    """Scores of every class, each from the last round that has them.

    Args:
        classes: `name` and `thing` of every class by train id.
        rounds: the `rounds` of a run's metrics.

    Returns:
        The table. A score of zero is flagged "zero"; a missing one "none", but only where that kind of score was
        taken at all and exists for the class (there is no AP of stuff).
    """
    labels_round, labels = _last_per_class(rounds, "labels")
    val_round, val = _last_per_class(rounds, "val")
    rows, failing = [], []
    for entry in classes:
        name, is_thing = str(entry.get("name", "")), bool(entry.get("thing"))
        of_val = [Cell(DASH) if key in _THINGS_ONLY and not is_thing else _score(val, name, key) for key in _CLASS_VAL]
        of_labels = [_score(labels, name, key) for key in _CLASS_LABELS]
        rows.append((Cell(name), Cell("thing" if is_thing else "stuff"), *of_val, *of_labels))
        if of_val[0].flag:
            failing.append(name)
    head = ("class", "kind", *(_HEADINGS.get(key, key) for key in (*_CLASS_VAL, *_CLASS_LABELS)))
    groups = (
        ("", 2),
        ("model on val" + ("" if val_round is None else f", round {val_round}"), len(_CLASS_VAL)),
        ("labels" + ("" if labels_round is None else f", round {labels_round}"), len(_CLASS_LABELS)),
    )
    return ClassTable(Table(groups, head, tuple(rows)), tuple(failing))


def headlines(rounds: Sequence[Metrics]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The last and the best round, each as a title and pairs of a name and a value.

    The best round is the one with the highest PQ on val or, where no round has a PQ, the highest mIoU; the earliest
    of equals. Without either, or where none is above 0, there is no best round.
    """
    if not rounds:
        return []
    found = [_headline("Last round", rounds[-1])]
    for key, name in (("pq", "PQ"), ("miou", "mIoU")):
        scored = [(value, r) for r in rounds if (value := number(_part(r, "val").get(key))) is not None]
        # Where all is 0, none is the best.
        if scored and max(value for value, _ in scored) > 0:
            best = max(scored, key=lambda pair: pair[0])[1]
            found.append(_headline(f"Best round by {name} on val", best))
            break
    return found


def _headline(title: str, entry: Metrics) -> tuple[str, list[tuple[str, str]]]:
    val, labels = _part(entry, "val"), _part(entry, "labels")
    keys = (("mIoU", "miou"), ("PQ", "pq"), ("PQ things", "pq_things"), ("PQ stuff", "pq_stuff"), ("AP", "ap"))
    values = [(name, percent(val.get(key))) for name, key in keys]
    values.append(("mIoU of its labels", percent(labels.get("miou"))))
    return f"{title} ({count(entry.get('round'))})", values


def _table(groups: tuple[tuple[str, tuple[Column, ...]], ...], rounds: Sequence[Metrics]) -> Table:
    columns = [column for _, members in groups for column in members]
    rows = tuple(tuple(Cell(write(_part(entry, part).get(key))) for part, key, _, write in columns) for entry in rounds)
    return Table(tuple((name, len(members)) for name, members in groups), tuple(c[2] for c in columns), rows)


def _part(entry: Metrics, key: str) -> Metrics:
    part: Metrics = entry if key == "" else entry.get(key) or {}
    return part


def _last_per_class(rounds: Sequence[Metrics], part: str) -> tuple[int | None, Metrics | None]:
    for entry in reversed(rounds):
        per_class = _part(entry, part).get("per_class")
        if per_class:
            return int(entry.get("round", 0)), per_class
    return None, None


def _score(per_class: Metrics | None, name: str, key: str) -> Cell:
    if per_class is None:
        return Cell(DASH)
    value = number((per_class.get(name) or {}).get(key))
    if value is None:
        return Cell(DASH, "none")
    return Cell(percent(value), "zero" if value == 0 else "")
