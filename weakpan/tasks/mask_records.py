"""What became of each box in stage `masks`.

One file an image, `OUT/mcg_and_grabcut_records/SPLIT/ID.json`:

    {"format": "weakpan-mask-records", "version": 1, "id": "ID", "boxes": [
      {"index": 12, "class": "car", "box": [10, 20, 110, 90], "grabcut_area": 4710, "proposal_area": 5033,
       "agreement": 0.81, "network_area": 0, "cover": 0.68, "fallback": "not needed"}]}

One entry for each instance box, in the order of the annotation; `box` is `[xmin, ymin, xmax, ymax]`, 0-based and
inclusive, `index` its position in the annotation, and the other keys are those of `BoxRecord`. The folder lies beside
that of the maps, in which others expect nothing but images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box
from weakpan.masks.result import BoxRecord, Fallback
from weakpan.storage.json_files import Document
from weakpan.storage.records import JsonRecords, Record

FORMAT = "weakpan-mask-records"

Share = Annotated[float, Field(ge=0, le=1)]


class BoxEntry(Document):
    """One box, see `BoxRecord`."""

    model_config = ConfigDict(extra="forbid")

    index: int
    class_: str = Field(alias="class")
    box: tuple[int, int, int, int]
    grabcut_area: int
    proposal_area: int
    agreement: Share
    network_area: int = 0
    cover: Share
    fallback: Fallback


class MaskRecord(Record):
    """The file of an image."""

    boxes: list[BoxEntry]


def mask_records(folder: Path) -> JsonRecords:
    """The records in a folder."""
    return JsonRecords(folder, FORMAT, "masks")


def write_box_records(
    records: JsonRecords, image_id: str, boxes: Sequence[Box], found: Sequence[BoxRecord], catalog: Catalog
) -> None:
    """Write what became of the instance boxes of an image; `boxes` are all of its annotation."""
    entries = []
    for record in found:
        box, values = boxes[record.index], asdict(record)
        del values["class_id"]
        head = {"index": values.pop("index"), "class": catalog.names[record.class_id]}
        entries.append({**head, "box": [box.xmin, box.ymin, box.xmax, box.ymax], **values})
    records.write(image_id, {"boxes": entries})


def read_box_records(records: JsonRecords, image_id: str, catalog: Catalog) -> list[BoxRecord]:
    """Read them back; raises DataError if the file is missing, damaged or of other classes."""
    content = records.read(image_id, MaskRecord)
    try:
        return [_to_record(entry, catalog) for entry in content["boxes"]]
    except DataError as error:
        remedy = "delete it and run stage=masks again"
        raise DataError(f"not of these boxes ({error})", path=records.path(image_id), remedy=remedy) from error


def _to_record(entry: BoxEntry, catalog: Catalog) -> BoxRecord:
    values = entry.model_dump(exclude={"class_", "box"})
    return BoxRecord(class_id=catalog.train_id_named(entry.class_), **values)
