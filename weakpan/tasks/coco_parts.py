"""What `coco=true` adds to the stage `labels`: the same labels as COCO panoptic.

`OUT/panoptic/ID.png` and `OUT/panoptic/ID.json` for each image, and `OUT/panoptic.json` once all are there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.formats.coco import CocoImage, category_records, write_panoptic_png
from weakpan.data.formats.coco_weak import labels_to_coco
from weakpan.labels.pipeline import PseudoLabels
from weakpan.storage.files import replacing, write_text_atomically
from weakpan.storage.images import is_whole
from weakpan.storage.json_files import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CocoParts:
    """Writes the PNG and the segments of each image, and joins the segments of all.

    Attributes:
        folder: of the parts; `panoptic.json` lies beside it.
        image_name: file name of an image, with `{id}`.
    """

    folder: Path
    image_name: str = "{id}_leftImg8bit.png"

    def has(self, image_id: str) -> bool:
        """Whether both files of an image are there and whole."""
        try:
            self._record(image_id)
        except DataError:
            return False
        return is_whole(self.folder / f"{image_id}.png")

    def write(self, image_id: str, labels: PseudoLabels, catalog: Catalog) -> None:
        """Write both files of an image."""
        panoptic, record = labels_to_coco(
            image_id, self.image_name.replace("{id}", image_id), labels.semantic, labels.instances, catalog
        )
        write_panoptic_png(self.folder / f"{image_id}.png", panoptic)
        write_text_atomically(self._path(image_id), json.dumps(asdict(record)) + "\n")

    def join(self, ids: Sequence[str], catalog: Catalog) -> None:
        """Write panoptic.json, atomically, image by image; raises DataError if segments are missing or damaged."""
        head = {"info": {"description": "pseudo labels of weakpan"}, "categories": category_records(catalog)}
        path = self.folder.with_suffix(".json")
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head)[:-1])
            for key, entry in (("images", _image), ("annotations", _annotation)):
                file.write(f',\n"{key}": [')
                for position, image_id in enumerate(ids):
                    file.write(("," if position else "") + "\n" + json.dumps(entry(self._record(image_id))))
                file.write("]")
            file.write("}\n")
        log.info("make_gt: %s holds the segments of %d images", path, len(ids))

    def _record(self, image_id: str) -> CocoImage:
        return read_json(self._path(image_id), CocoImage, "delete it and run stage=labels again")

    def _path(self, image_id: str) -> Path:
        return self.folder / f"{image_id}.json"


def _image(record: CocoImage) -> dict[str, Any]:
    return {"id": record.image_id, "file_name": record.file_name, "height": record.height, "width": record.width}


def _annotation(record: CocoImage) -> dict[str, Any]:
    return {"image_id": record.image_id, "file_name": f"{record.image_id}.png", "segments_info": record.segments}
