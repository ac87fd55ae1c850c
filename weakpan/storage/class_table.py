"""Class tables of JSON files.

    {"name": "farm", "ignored_dataset_ids": [0],
     "classes": [{"name": "ground", "dataset_id": 1, "color": [0, 90, 0], "thing": false}, ...]}

The classes are in the order of their train ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from weakpan.basics.catalog import BUILT_IN, Catalog, ClassInfo
from weakpan.basics.errors import DataError
from weakpan.storage.json_files import WHOLE, Document, read_json

DatasetId = Annotated[int, Field(ge=0, le=254), WHOLE]
Channel = Annotated[int, Field(ge=0, le=255), WHOLE]


class ClassRow(Document):
    """One class."""

    name: str
    dataset_id: DatasetId
    color: tuple[Channel, Channel, Channel]
    thing: bool


class ClassTable(Document):
    """The file."""

    name: str
    classes: list[ClassRow]
    ignored_dataset_ids: tuple[DatasetId, ...] = ()


def load_catalog(name_or_path: str) -> Catalog:
    """A built-in class table by name, or one from a JSON file; raises DataError for a missing or damaged one."""
    if name_or_path in BUILT_IN:
        return BUILT_IN[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".json" or not path.is_file():
        raise DataError(
            f"no such class table; use one of {', '.join(sorted(BUILT_IN))} or the path of a .json file",
            key="data.classes",
            found=name_or_path,
        )
    table = read_json(path, ClassTable, "correct the class table")
    try:
        return to_catalog(table)
    except DataError as error:
        raise DataError(str(error), path=path) from error


def to_catalog(table: ClassTable) -> Catalog:
    """The class table of a file's content; raises DataError for an ambiguous one."""
    classes = tuple(ClassInfo(row.name, row.dataset_id, row.color, row.thing) for row in table.classes)
    return Catalog(table.name, classes, frozenset(table.ignored_dataset_ids))


def from_catalog(catalog: Catalog) -> dict[str, Any]:
    """A class table as a file holds it, in plain containers."""
    return {
        "name": catalog.name,
        "classes": [
            {"name": c.name, "dataset_id": c.dataset_id, "color": list(c.color), "thing": c.is_thing}
            for c in catalog.classes
        ],
        "ignored_dataset_ids": sorted(catalog.ignored_dataset_ids),
    }
