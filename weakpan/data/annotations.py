"""Weak annotations: the types, and the file that training reads instead of masks.

One JSON file a split:

    {
      "format": "weakpan-weak-annotations",
      "version": 1,
      "classes": [{"name": "road", "thing": false}, ...],     by train id
      "crop": {"height": 400, "width": 500},                  the crop grid that the tags belong to
      "images": [
        {
          "id": "aachen_000000_000019", "height": 1024, "width": 2048,
          "boxes": [{"class": "car", "kind": "instance", "box": [xmin, ymin, xmax, ymax]}, ...],
          "tags": [["road", "car"], ...]                      one list a tile, in the order of the grid (row by row)
        }, ...
      ]
    }

Box coordinates are pixels, 0-based and inclusive. `kind` is `instance`, `group` (a crowd) or `stuff` (a
whole class of stuff as an image-wide box, as in the authors' released code). The order of the boxes matters: instance
ids follow it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.crops import CropGrid
from weakpan.storage.files import replacing
from weakpan.storage.layout import checked_id

FORMAT = "weakpan-weak-annotations"
VERSION = 1


class BoxKind(StrEnum):
    """What a box stands for."""

    INSTANCE = "instance"
    GROUP = "group"
    STUFF = "stuff"


@dataclass(frozen=True)
class Box:
    """A box of one class: pixels, 0-based, both ends inclusive."""

    class_id: int
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    kind: BoxKind = BoxKind.INSTANCE

    @property
    def area(self) -> int:
        """Pixels inside, both borders included."""
        return (self.xmax - self.xmin + 1) * (self.ymax - self.ymin + 1)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slice of the pixels inside."""
        return slice(self.ymin, self.ymax + 1), slice(self.xmin, self.xmax + 1)


@dataclass(frozen=True)
class ImageAnnotation:
    """Everything that weak training may know about one image besides its pixels.

    Attributes:
        image_id: file name without folder and suffix.
        height: of the image, pixels.
        width: of the image, pixels.
        boxes: in the order that instance ids follow.
        tags: for each tile of the crop grid (row by row) the train ids with at least one pixel in it.
    """

    image_id: str
    height: int
    width: int
    boxes: tuple[Box, ...]
    tags: tuple[frozenset[int], ...]

    @property
    def image_tags(self) -> frozenset[int]:
        """Train ids with at least one pixel anywhere in the image."""
        return frozenset().union(*self.tags)


@dataclass(frozen=True)
class WeakAnnotations:
    """The weak annotations of one split."""

    catalog: Catalog
    grid: CropGrid
    images: Mapping[str, ImageAnnotation]

    def write(self, path: Path) -> None:
        """Write the file described at the top of this module, atomically."""
        entries = (
            {
                "id": image.image_id,
                "height": image.height,
                "width": image.width,
                "boxes": box_entries(image.boxes, self.catalog),
                "tags": tag_entries(image.tags, self.catalog),
            }
            for image in self.images.values()
        )
        write_annotation_entries(path, self.catalog, self.grid, entries)


def box_entries(boxes: Iterable[Box], catalog: Catalog) -> list[dict[str, Any]]:
    """Boxes as the file holds them."""
    return [
        {"class": catalog.names[b.class_id], "kind": str(b.kind), "box": [b.xmin, b.ymin, b.xmax, b.ymax]}
        for b in boxes
    ]


def tag_entries(tags: Iterable[Iterable[int]], catalog: Catalog) -> list[list[str]]:
    """Tags of tiles as the file holds them."""
    return [[catalog.names[i] for i in sorted(tile)] for tile in tags]


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
            instance box, or a number of tags that does not fit the crop grid; each names the file and the image.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such weak-annotation file; set data.weak_annotations to an existing one") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as a weak-annotation file ({error}); make it again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f'{path}: not a weak-annotation file ("format" must be "{FORMAT}")')
    if content.get("version") != VERSION:
        raise DataError(f"{path}: version {content.get('version')!r}, this weakpan reads version {VERSION}")
    try:
        classes = [(str(row["name"]), bool(row["thing"])) for row in content["classes"]]
        grid = CropGrid(_positive(content["crop"]["height"]), _positive(content["crop"]["width"]))
        rows = list(content["images"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: damaged header ({type(error).__name__}: {error}); make the file again") from error
    expected = [(c.name, c.is_thing) for c in catalog.classes]
    if classes != expected:
        raise DataError(
            f"{path}: made with classes {', '.join(n for n, _ in classes)}; data.classes={catalog.name} has "
            f"{', '.join(catalog.names)} (or another division into things and stuff)"
        )
    images: dict[str, ImageAnnotation] = {}
    for position, row in enumerate(rows):
        image = _read_image(row, f"{path}: image {position}", catalog, grid)
        if image.image_id in images:
            raise DataError(f"{path}: image {image.image_id} occurs twice; keep one")
        images[image.image_id] = image
    return WeakAnnotations(catalog, grid, images)


def _read_image(row: Any, where: str, catalog: Catalog, grid: CropGrid) -> ImageAnnotation:
    try:
        image_id = str(row["id"])
        where = f"{where} ({image_id})"
        height, width = _positive(row["height"]), _positive(row["width"])
        boxes = tuple(_read_box(entry, catalog, height, width, where) for entry in row["boxes"])
        if not all(isinstance(tile, list) for tile in row["tags"]):
            raise DataError(f"{where}: tags must be a list of lists of class names, one list a crop")
        tags = tuple(frozenset(catalog.train_id_named(name) for name in tile) for tile in row["tags"])
    except DataError as error:
        raise DataError(f"{where}: {error}" if where not in str(error) else str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: damaged entry ({type(error).__name__}: {error})") from error
    checked_id(image_id, where, "an image id is a file name without folder and suffix")
    tiles = len(grid.tiles(height, width))
    if len(tags) != tiles:
        raise DataError(f"{where}: {len(tags)} lists of tags; a {height} x {width} image has {tiles} tiles")
    return ImageAnnotation(image_id, height, width, boxes, tags)


def _read_box(entry: Any, catalog: Catalog, height: int, width: int, where: str) -> Box:
    class_id, kind = catalog.train_id_named(str(entry["class"])), BoxKind(entry["kind"])
    values = entry["box"]
    if len(values) != 4 or not all(type(v) is int for v in values):
        raise DataError(f"{where}: box {values} is not four whole numbers [xmin, ymin, xmax, ymax]")
    box = Box(class_id, values[0], values[1], values[2], values[3], kind)
    if not (0 <= box.xmin <= box.xmax < width and 0 <= box.ymin <= box.ymax < height):
        raise DataError(
            f"{where}: {entry['class']} box {values} is empty or outside its {width} x {height} image; "
            "coordinates are pixels, 0-based and inclusive"
        )
    if (kind is BoxKind.STUFF) == bool(catalog.is_thing[class_id]):
        raise DataError(f"{where}: a {entry['class']} box cannot be of kind {kind}")
    return box


def _positive(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"expected a whole number above 0, found {value!r}")
    return value
