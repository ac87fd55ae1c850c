"""Stages `boxes` and `tags`: weak annotations, one small file an image, and the weak-annotation file made of them.

`OUT/boxes/ID.json` and `OUT/tags/ID.json` hold what the entry of an image in the weak-annotation file holds; once both
are there for all images, `OUT/weak_annotations.json` is put together from them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import write_annotation_entries
from weakpan.data.annotations import BoxKind, box_entries, tag_entries
from weakpan.data.crops import CropGrid
from weakpan.data.formats.mat_boxes import VARIABLE, write_mat_boxes
from weakpan.data.formats.mat_file import read_struct
from weakpan.storage.files import write_text_atomically
from weakpan.tasks.claim import Claim
from weakpan.tasks.weak_source import WeakSource


@dataclass(frozen=True)
class MakeBoxes:
    """The boxes of one image.

    Attributes:
        weak: where they are read from.
        out: folder of the JSON files.
        mat: path of the authors' MATLAB file of an image, with `{id}`; None for none.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    out: Path
    mat: Path | None
    claim: Claim | None = None

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.weak.missing_boxes(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether the boxes are there and whole."""
        return _read(self.out / f"{image_id}.json") is not None and (self.mat is None or self._has_mat(image_id))

    def __call__(self, image_id: str) -> Counter[str]:
        """Read and write the boxes of an image; counts them by kind."""
        (height, width), boxes = self.weak.boxes(image_id)
        if self.claim is not None:
            self.claim()
        if self.mat is not None:
            write_mat_boxes(self._mat_path(image_id), boxes, self.weak.catalog)
        entry = {"id": image_id, "height": height, "width": width, "boxes": box_entries(boxes, self.weak.catalog)}
        write_text_atomically(self.out / f"{image_id}.json", json.dumps(entry, separators=(",", ":")) + "\n")
        kinds = Counter(box.kind for box in boxes)
        return Counter(images=1, boxes=kinds[BoxKind.INSTANCE], groups=kinds[BoxKind.GROUP])

    def _has_mat(self, image_id: str) -> bool:
        try:
            read_struct(self._mat_path(image_id), VARIABLE)
        except DataError:
            return False
        return True

    def _mat_path(self, image_id: str) -> Path:
        return Path(str(self.mat).replace("{id}", image_id))


@dataclass(frozen=True)
class MakeTags:
    """The tags of the tiles of one image.

    Attributes:
        weak: where they are read from.
        out: folder of the JSON files.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    out: Path
    claim: Claim | None = None

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.weak.missing_tags(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether the tags are there and whole."""
        return _read(self.out / f"{image_id}.json") is not None

    def __call__(self, image_id: str) -> Counter[str]:
        """Read and write the tags of an image; counts tiles and tags."""
        (height, width), tags = self.weak.tags(image_id)
        if self.claim is not None:
            self.claim()
        entry = {"id": image_id, "height": height, "width": width, "tags": tag_entries(tags, self.weak.catalog)}
        write_text_atomically(self.out / f"{image_id}.json", json.dumps(entry, separators=(",", ":")) + "\n")
        return Counter(images=1, tiles=len(tags), tags=sum(map(len, tags)))


def join_annotations(path: Path, boxes: Path, tags: Path, ids: Iterable[str], catalog: Catalog, grid: CropGrid) -> None:
    """Put the weak-annotation file together from the files of the images, one at a time.

    Raises:
        DataError: a file that is missing or damaged, or boxes and tags of different sizes; then nothing is written.
    """

    def entries() -> Iterable[dict[str, Any]]:
        for image_id in ids:
            both = _read(boxes / f"{image_id}.json"), _read(tags / f"{image_id}.json")
            if both[0] is None or both[1] is None:
                what = boxes if both[0] is None else tags
                raise DataError(f"{what / image_id}.json: missing or damaged; run stage={what.name} again")
            for key in ("height", "width"):
                if both[0][key] != both[1][key]:
                    raise DataError(
                        f"image {image_id}: {key} {both[0][key]} of its boxes differs from {both[1][key]} of its tags"
                    )
            yield {**both[0], **both[1]}

    write_annotation_entries(path, catalog, grid, entries())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
