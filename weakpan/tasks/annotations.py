"""Weak annotations: one small file an image, and the weak-annotation file made of them.

`annotations/ID.json` holds what the entry of an image in the weak-annotation file holds; once all images are done,
`weak_annotations.json` is put together from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.errors import DataError
from weakpan.data.annotation_file import ImageEntry, image_entry, write_annotation_entries
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.data.formats.mat_boxes import VARIABLE, write_mat_boxes
from weakpan.data.formats.mat_file import read_struct
from weakpan.storage.json_files import read_json, write_json
from weakpan.storage.layout import checked_id
from weakpan.tasks.annotation_source import AnnotationSource


@dataclass(frozen=True)
class MakeAnnotations:
    """The boxes and tags of one image.

    Attributes:
        source: where they are read from.
        folder: of the JSON files.
        mat: path of the authors' MATLAB file of an image, with `{id}`; None for none.
    """

    source: AnnotationSource
    folder: Path
    mat: str | None = None

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.source.missing(image_id, with_tags=True)

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Files of an image."""
        part = self.folder / f"{checked_id(image_id)}.json"
        return (part,) if self.mat is None else (part, self._mat_path(image_id))

    def is_done(self, image_id: str) -> bool:
        """Whether the annotation is there and whole."""
        try:
            _read(self.files(image_id)[0])
            if self.mat is not None:
                read_struct(self._mat_path(image_id), VARIABLE)
        except DataError:
            return False
        return True

    def make(self, image_id: str) -> ImageAnnotation:
        """Read boxes and tags of an image."""
        return self.source.annotation(image_id, None, with_tags=True)

    def write(self, image_id: str, annotation: ImageAnnotation) -> Counter[str]:
        """Write them; counts boxes by kind, crops and tags."""
        catalog = self.source.catalog
        if self.mat is not None:
            write_mat_boxes(self._mat_path(image_id), annotation.boxes, catalog)
        write_json(self.files(image_id)[0], image_entry(annotation, catalog))
        kinds = Counter(box.kind for box in annotation.boxes)
        return Counter(
            images=1,
            boxes=kinds[BoxKind.INSTANCE],
            groups=kinds[BoxKind.GROUP],
            crops=len(annotation.tags),
            tags=sum(map(len, annotation.tags)),
        )

    def join(self, path: Path, ids: Iterable[str]) -> None:
        """Put the weak-annotation file together, holding the annotation of one image at a time.

        Raises:
            DataError: an annotation that is missing or damaged; then nothing is written.
        """
        entries = (_read(self.files(image_id)[0]) for image_id in ids)
        write_annotation_entries(path, self.source.catalog, self.source.grid, entries)

    def _mat_path(self, image_id: str) -> Path:
        return Path(str(self.mat).replace("{id}", image_id))


def _read(path: Path) -> ImageEntry:
    return read_json(path, ImageEntry, "make the annotations again")
