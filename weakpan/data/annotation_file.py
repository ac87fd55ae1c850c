"""The weak-annotation file: what training reads instead of masks, one JSON file a split.

    {
      "format": "weakpan-weak-annotations",
      "version": 1,
      "classes": [{"name": "road", "thing": false}, ...],     by train id
      "crop": {"height": 400, "width": 500},                  the crop grid that the tags belong to
      "images": [
        {
          "id": "aachen_000000_000019", "height": 1024, "width": 2048,
          "boxes": [{"class": "car", "kind": "instance", "box": [xmin, ymin, xmax, ymax]}, ...],
          "tags": [["road", "car"], ...]                      one list a crop, in the order of the grid (row by row)
        }, ...
      ]
    }

Box coordinates are pixels, 0-based and inclusive. `kind` is `instance`, `group` (a crowd) or `stuff` (a whole class of
stuff as an image-wide box, as in the authors' released code). The order of the boxes matters: instance ids follow it.

`docs/weak_annotations.schema.json` says the same as JSON Schema; `python -m weakpan.data.annotation_file` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import FailFast, Field, with_config
from typing_extensions import TypedDict

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation, WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.data.image_tree import ImageTree
from weakpan.storage.files import replacing
from weakpan.storage.json_files import STRICT, WHOLE, Document, read_json
from weakpan.storage.layout import checked_id

FORMAT = "weakpan-weak-annotations"
VERSION = 1

_REMEDY = "correct it, or make it again"

Pixels = Annotated[int, Field(ge=1), WHOLE]
Coordinate = Annotated[int, Field(ge=0), WHOLE]
# Typed dictionaries: they take half the time of classes, which tells in a file of 20,000 images.
BoxEntry = TypedDict(
    "BoxEntry",
    {
        "class": Annotated[str, Field(description="Name of a class of the table.")],
        "kind": BoxKind,
        "box": Annotated[
            tuple[Coordinate, Coordinate, Coordinate, Coordinate],
            Field(description="xmin, ymin, xmax, ymax: pixels, 0-based and inclusive."),
        ],
    },
)
with_config(STRICT)(BoxEntry)


@with_config(STRICT)
class ImageEntry(TypedDict):
    """Boxes and tags of an image; instance ids follow the order of the boxes."""

    id: Annotated[str, Field(description="File name of the image without folder and suffix.")]
    height: Pixels
    width: Pixels
    boxes: list[BoxEntry]
    tags: Annotated[
        list[list[str]],
        Field(description="For each crop of the grid, row by row, the names of the classes with a pixel in it."),
    ]


class ClassEntry(Document):
    """One class, in the order of the train ids."""

    name: str
    thing: bool


class CropEntry(Document):
    """Crop of the grid that the tags belong to, pixels."""

    height: Pixels
    width: Pixels


class AnnotationFile(Document):
    """Boxes and image tags of one split: all that weak training knows of its images."""

    format: Literal["weakpan-weak-annotations"]
    version: Literal[1]
    classes: list[ClassEntry]
    crop: CropEntry
    images: Annotated[list[ImageEntry], FailFast()]


def json_schema() -> str:
    """JSON Schema of the file, as text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **AnnotationFile.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def image_entry(image: ImageAnnotation, catalog: Catalog) -> dict[str, Any]:
    """What the file holds of an image."""
    names = catalog.names
    return {
        "id": image.image_id,
        "height": image.height,
        "width": image.width,
        "boxes": [
            {"class": names[b.class_id], "kind": str(b.kind), "box": [b.xmin, b.ymin, b.xmax, b.ymax]}
            for b in image.boxes
        ],
        "tags": [[names[i] for i in sorted(crop)] for crop in image.tags],
    }


def write_annotation_entries(
    path: Path, catalog: Catalog, grid: CropGrid, entries: Iterable[Mapping[str, Any]]
) -> None:
    """Write a weak-annotation file, atomically, holding one of its images at a time."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "classes": [{"name": c.name, "thing": c.is_thing} for c in catalog.classes],
        "crop": {"height": grid.height, "width": grid.width},
    }
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, separators=(",", ":"))[:-1] + ',"images":[')
        for position, entry in enumerate(entries):
            file.write(("," if position else "") + "\n" + json.dumps(entry, separators=(",", ":")))
        file.write("\n]}\n")


def read_weak_annotations(path: Path, catalog: Catalog) -> WeakAnnotations:
    """Read and validate a weak-annotation file.

    Raises:
        DataError: a missing or damaged file, another class table, a box outside its image, a stuff class with an
            instance box, or a number of tags that does not fit the crop grid; each names the place in the file.
    """
    content = read_json(path, AnnotationFile, "correct data.weak_annotations, or make the file again")
    classes = [(row.name, row.thing) for row in content.classes]
    if classes != [(c.name, c.is_thing) for c in catalog.classes]:
        raise DataError(
            f"made with classes {', '.join(n for n, _ in classes)}; data.classes={catalog.name} has "
            f"{', '.join(catalog.names)} (or another division into things and stuff)",
            path=path,
        )
    convert = _Conversion(catalog, CropGrid(content.crop.height, content.crop.width))
    images: dict[str, ImageAnnotation] = {}
    for position, entry in enumerate(content.images):
        try:
            image = convert.image(entry)
        except DataError as error:
            where = f"images[{position}] ({entry['id']})"
            raise DataError(f"{where}: {error}", path=path, remedy=_REMEDY) from error
        if image.image_id in images:
            raise DataError(f"image {image.image_id} occurs twice", path=path, remedy="keep one")
        images[image.image_id] = image
    return WeakAnnotations(catalog, convert.grid, images)


class _Conversion:
    """Makes annotations of entries, and refuses what the class table and the size of the image do not allow."""

    def __init__(self, catalog: Catalog, grid: CropGrid) -> None:
        self.catalog, self.grid = catalog, grid
        self._train_ids = {name: train_id for train_id, name in enumerate(catalog.names)}
        self._things = frozenset(catalog.thing_ids)
        self._count = lru_cache(maxsize=64)(lambda height, width: len(grid.crops(height, width)))

    def image(self, entry: ImageEntry) -> ImageAnnotation:
        """The annotation of one image; raises DataError."""
        height, width = entry["height"], entry["width"]
        checked_id(entry["id"], remedy="an image id is a file name without folder and suffix")
        boxes = tuple(self._box(position, box, height, width) for position, box in enumerate(entry["boxes"]))
        try:
            tags = tuple(frozenset([self._train_ids[name] for name in crop]) for crop in entry["tags"])
        except KeyError as error:
            raise self._unknown("tags", error) from None
        if len(tags) != self._count(height, width):
            raise DataError(
                f"{len(tags)} lists of tags; a {height} x {width} image has {self._count(height, width)} crops"
            )
        return ImageAnnotation(entry["id"], height, width, boxes, tags)

    def _box(self, position: int, entry: Mapping[str, Any], height: int, width: int) -> Box:
        try:
            class_id = self._train_ids[entry["class"]]
        except KeyError as error:
            raise self._unknown(f"boxes[{position}]", error) from None
        xmin, ymin, xmax, ymax = entry["box"]
        kind = entry["kind"]
        if not (xmin <= xmax < width and ymin <= ymax < height):
            raise DataError(
                f"boxes[{position}]: {entry['class']} box {list(entry['box'])} is empty or outside its {width} x "
                f"{height} image; coordinates are pixels, 0-based and inclusive"
            )
        if (kind is BoxKind.STUFF) == (class_id in self._things):
            raise DataError(f"boxes[{position}]: a {entry['class']} box cannot be of kind {kind}")
        return Box(class_id, xmin, ymin, xmax, ymax, kind)

    def _unknown(self, where: str, error: KeyError) -> DataError:
        known = ", ".join(self.catalog.names)
        return DataError(f"{where}: class {error.args[0]!r} is not in class table {self.catalog.name!r} ({known})")


def check_annotations(annotations: WeakAnnotations, tree: ImageTree) -> None:
    """Hold weak annotations against the images they speak of, before any work starts.

    Raises:
        DataError: an image without annotation, an annotation without image, or another size.
    """
    images, annotated = set(tree.ids), set(annotations.images)
    if images - annotated:
        example = min(images - annotated)
        raise DataError(
            f"{tree.image_path(example)}: no entry in the weak-annotation file ({len(images - annotated)} such "
            "images); annotate it or leave it out with data.train_list"
        )
    if annotated - images and tree.only_ids is None:
        example = min(annotated - images)
        raise DataError(
            f"weak annotations name {example}, which has no image in split {tree.split} of {tree.root} "
            f"({len(annotated - images)} such entries); add the images or choose ids with data.train_list"
        )
    for image_id in tree.ids:
        entry, size = annotations.images[image_id], tree.image_size(image_id)
        if (entry.height, entry.width) != size:
            raise DataError(
                f"{tree.image_path(image_id)}: {size[0]} x {size[1]} pixels (height x width), its weak annotation "
                f"says {entry.height} x {entry.width}"
            )


if __name__ == "__main__":
    print(json_schema(), end="")
