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
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box
from weakpan.masks.result import BoxRecord, Fallback
from weakpan.storage.records import JsonRecords

FORMAT = "weakpan-mask-records"


def mask_records(out: Path, split: str) -> JsonRecords:
    """The records below a folder of results."""
    return JsonRecords(out / "mcg_and_grabcut_records" / split, FORMAT, "masks")


def write_box_records(
    records: JsonRecords, image_id: str, boxes: Sequence[Box], found: Sequence[BoxRecord], catalog: Catalog
) -> None:
    """Write the records of an image.

    Args:
        records: where to.
        image_id: of the image.
        boxes: of its annotation, of any kind.
        found: what became of the instance boxes.
        catalog: names the classes.
    """
    entries = []
    for record in found:
        box, values = boxes[record.index], asdict(record)
        del values["class_id"]
        head = {"index": values.pop("index"), "class": catalog.names[record.class_id]}
        entries.append({**head, "box": [box.xmin, box.ymin, box.xmax, box.ymax], **values})
    records.write(image_id, {"boxes": entries})


def read_box_records(records: JsonRecords, image_id: str, catalog: Catalog) -> list[BoxRecord]:
    """Read them back.

    Raises:
        DataError: the file is missing, damaged or of other classes.
    """
    content = records.read(image_id)
    try:
        return [_to_record(entry, catalog) for entry in content["boxes"]]
    except (DataError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        path = records.path(image_id)
        raise DataError(f"{path}: not of these boxes ({what}); delete it and run stage=masks again") from error


def _to_record(entry: dict[str, Any], catalog: Catalog) -> BoxRecord:
    values = {key: value for key, value in entry.items() if key not in ("class", "box", "fallback")}
    return BoxRecord(class_id=catalog.train_id_named(entry["class"]), fallback=Fallback(entry["fallback"]), **values)
