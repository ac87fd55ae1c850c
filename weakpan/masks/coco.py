"""Masks in boxes from a COCO instance file or a COCO result file, whatever tool wrote it.

Either a list of results, `[{"image_id", "category_id", "segmentation", "score"}, ...]`, or a data set,
`{"images": [{"id", "file_name", "height", "width"}, ...], "annotations": [...], "categories": [{"id", "name"}, ...]}`
(https://cocodataset.org/#format-data and #format-results).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.masks.coco_shapes import decode_segmentation
from weakpan.masks.matching import LooseMask, MatchedMasks
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import LoadImage, require_file
from weakpan.storage.files import content_digest


@dataclass(frozen=True)
class CocoMasks(MatchedMasks):
    """Masks of a COCO JSON, given to the boxes that they fit best.

    An image is found by the name of its file without folder and suffix, else by its id in the file. A category is
    found by its name if the file gives one (`category_name` of the annotation, or its list of categories), else
    `category_id` is the class table's dataset id; annotations without any category fit boxes of every class. Empty
    masks and dataset ids that the class table ignores are passed over; a mask that is marked as a crowd, as annotation
    tools mark what was painted with a brush, is taken only by a box that no other mask fits.

    The file is read once a process, so that an instance of this class stays small when it is sent to one.
    `path` is the JSON, `template` "{id}_leftImg8bit" for Cityscapes.
    """

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return f"masks in boxes read from {self.path.name} (coco), with whatever its tool has learned from"

    def check_files(self) -> None:
        """Look for the file; raises ConfigError."""
        require_file(self.path)

    def contents(self) -> dict[str, str]:
        """Checksum of the file."""
        return {"path": content_digest([self.path])}

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says; a file is refused as a whole, its masks where their image is asked for."""
        loose: list[LooseMask] = []
        # A result file cannot name an image on which nothing was found.
        if any(box.kind is BoxKind.INSTANCE for box in annotation.boxes):
            content = _read(self.path, _modified(self.path))
            key = self._key(content, annotation)
            for position, record in content.annotations.get(key, []):
                where = f"{self.path}: image {annotation.image_id}: annotation {position}"
                mask = _mask(record, _class_id(record, content.categories, catalog, where), annotation, where)
                if mask is not None:
                    loose.append(mask)
        return self.match(annotation, loose)

    def _key(self, content: _Content, annotation: ImageAnnotation) -> str:
        """Id of the image in the file."""
        stem = self.template.replace("{id}", annotation.image_id)
        named = set(content.id_of_stem.values())
        # An id of the file counts as a name only where the file gives none: it may be the number of another image.
        for key in (content.id_of_stem.get(stem), *(k for k in (stem, annotation.image_id) if k not in named)):
            if key is not None and (key in content.sizes or key in content.annotations):
                break
        else:
            raise DataError(
                f"{self.path}: no image {stem} in it, neither as a file name nor as an id; add its masks or take the "
                "image out of the list of training images"
            )
        size = content.sizes.get(key)
        if size is not None and size != (annotation.height, annotation.width):
            raise DataError(
                f"{self.path}: image {annotation.image_id} is {size[0]} x {size[1]} (height x width) there, its weak "
                f"annotation says {annotation.height} x {annotation.width}; make the masks at the size of the image"
            )
        return key


def _mask(record: Mapping[str, Any], class_id: int | None, annotation: ImageAnnotation, where: str) -> LooseMask | None:
    if class_id == IGNORE:
        return None
    try:
        mask = decode_segmentation(record.get("segmentation"), annotation.height, annotation.width)
        score = float(record.get("score", 0.0))
        if math.isnan(score):
            raise ValueError("its score is not a number")
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: {error}", remedy="export this image again") from error
    return LooseMask.cut(mask, class_id, score, bool(record.get("iscrowd", 0)))


def _class_id(record: Mapping[str, Any], categories: Mapping[Any, str], catalog: Catalog, where: str) -> int | None:
    """Train id of an annotation, 255 if the class table ignores it, None if it has no category."""
    category = record.get("category_id")
    name = record.get("category_name", categories.get(category) if isinstance(category, int | str) else None)
    if name is None and category is None:
        return None
    if name is not None and name in catalog.names:
        return catalog.names.index(name)
    if name is None and not categories and isinstance(category, int):
        for train_id, info in enumerate(catalog.classes):
            if info.dataset_id == category:
                return train_id
    if isinstance(category, int) and category in catalog.ignored_dataset_ids:
        return IGNORE
    raise DataError(
        f"{where}: category {category if name is None else repr(name)} is not in class table {catalog.name!r} "
        f"({', '.join(catalog.names)})",
        remedy="rename it as in the table or take it out of the file",
    )


@dataclass(frozen=True)
class _Content:
    """A file by image; ids of images are compared as text.

    Attributes:
        annotations: position in the file and annotation, by image id.
        id_of_stem: image id by file name without folder and suffix.
        sizes: (height, width) by image id, None where the file does not say.
        categories: name by id; empty if the file has no list of them.
    """

    annotations: Mapping[str, list[tuple[int, dict[str, Any]]]]
    id_of_stem: Mapping[str, str]
    sizes: Mapping[str, tuple[int, int] | None]
    categories: Mapping[Any, str]


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"{path}: not readable ({error}); expected masks as COCO JSON") from error


# One file is enough for a run. The time is there so that a file that was written again is read again.
@lru_cache(maxsize=1)
def _read(path: Path, _modified_at: int) -> _Content:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); write it again") from error
    if isinstance(content, list):
        content = {"annotations": content}
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise DataError(
            f"{path}: neither a list of results nor an object with a list of annotations; expected COCO's format"
        )
    position = 0
    try:
        annotations: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for position, record in enumerate(content["annotations"]):
            annotations.setdefault(str(record["image_id"]), []).append((position, record))
        images = {str(image["id"]): image for image in content.get("images", [])}
        stems = [(PurePosixPath(i["file_name"]).stem, key) for key, i in images.items() if "file_name" in i]
        sizes = {
            key: (int(image["height"]), int(image["width"])) if "height" in image and "width" in image else None
            for key, image in images.items()
        }
        categories = {row["id"]: str(row["name"]) for row in content.get("categories", [])}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not as in COCO's format ({type(error).__name__}: {error}, annotation {position} was the last "
            "that was read); write it again"
        ) from error
    id_of_stem = dict(stems)
    if len(id_of_stem) != len(stems):
        names = [stem for stem, _ in stems]
        twice = next(stem for stem in names if names.count(stem) > 1)
        raise DataError(f"{path}: two images are called {twice}; image ids must be unique, so split the file")
    return _Content(annotations, id_of_stem, sizes, categories)
