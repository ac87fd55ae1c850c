"""COCO panoptic format: a PNG an image whose colours are segment ids, and one JSON that says what the ids are.

The colour of a pixel is its segment's id in base 256, red first: `id = R + 256 G + 65536 B`; black is no segment
(https://cocodataset.org/#format-data, "Panoptic Segmentation"; the same as `rgb2id` of cocodataset/panopticapi). Ids
start anew in every image. `category_id` is the class table's dataset id. Every segment carries a `score` beside the
fields of the standard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import read_rgb, write_png

MAX_ID = 256**3 - 1
"""Largest id that three colour channels hold."""


@dataclass(frozen=True)
class CocoImage:
    """What panoptic.json says of one image.

    Attributes:
        image_id: unique in the file; the PNG is called `{image_id}.png`.
        file_name: of the photograph, relative to the folder that was predicted.
        height: of the PNG, pixels.
        width: of the PNG, pixels.
        segments: records of `segment_records`.
    """

    image_id: str
    file_name: str
    height: int
    width: int
    segments: tuple[dict[str, Any], ...]


def ids_to_rgb(ids: npt.NDArray[np.integer]) -> RGBImage:
    """Segment ids as colours.

    Args:
        ids: (H, W), 0..MAX_ID.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: an id that three channels cannot hold.
    """
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) <= MAX_ID:
        raise ValueError(f"segment ids from {ids.min()} to {ids.max()}; the format holds 0 to {MAX_ID}")
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def rgb_to_ids(colors: RGBImage) -> npt.NDArray[np.int32]:
    """Colours as segment ids: (H, W, 3) uint8 RGB to (H, W) int32, 0..MAX_ID."""
    wide = colors.astype(np.int32)
    ids: npt.NDArray[np.int32] = wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]
    return ids


def segment_records(panoptic: PanopticMap, catalog: Catalog) -> list[dict[str, Any]]:
    """The `segments_info` of one image.

    Returns:
        A record for each segment in the order of `panoptic.segments`: `id`, `category_id` (dataset id), `area` in
        pixels, `bbox` ([x, y, width, height] in pixels, x and y of the top left pixel), `iscrowd` (0) and `score`
        (0..1).

    Raises:
        ValueError: the map and its list of segments do not hold the same ids.
    """
    found = _areas_and_boxes(panoptic.ids)
    listed = [s.segment_id for s in panoptic.segments]
    if sorted(found) != sorted(listed):
        raise ValueError(f"the map holds segments {sorted(found)}, its list has {sorted(listed)}")
    return [
        {
            "id": s.segment_id,
            "category_id": catalog.classes[s.class_id].dataset_id,
            "area": found[s.segment_id][0],
            "bbox": found[s.segment_id][1],
            "iscrowd": 0,
            "score": s.score,
        }
        for s in panoptic.segments
    ]


def _areas_and_boxes(ids: npt.NDArray[np.int32]) -> dict[int, tuple[int, list[int]]]:
    """Area and [x, y, width, height] of every id but 0."""
    # Counting needs memory for the largest id, and is ten times as fast as sorting the pixels.
    counts = np.bincount(ids.ravel())
    values = np.flatnonzero(counts)
    position_of = np.zeros(len(counts), np.intp)
    position_of[values] = np.arange(len(values))
    position = position_of[ids]
    height, width = ids.shape
    in_row, in_column = np.zeros((height, len(values)), bool), np.zeros((width, len(values)), bool)
    in_row[np.arange(height)[:, None], position] = True
    in_column[np.arange(width)[None, :], position] = True
    (top, tall), (left, wide) = _extent(in_row), _extent(in_column)
    return {
        int(value): (int(counts[value]), [int(left[k]), int(top[k]), int(wide[k]), int(tall[k])])
        for k, value in enumerate(values)
        if value != 0
    }


def _extent(present: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First line in which each column of (lines, ids) is True, and lines from there to the last."""
    first = present.argmax(axis=0)
    last = len(present) - 1 - present[::-1].argmax(axis=0)
    return first, last - first + 1


def write_panoptic_png(path: Path, panoptic: PanopticMap) -> None:
    """Write the ids of one image, atomically."""
    write_png(path, ids_to_rgb(panoptic.ids))


def write_panoptic_json(path: Path, catalog: Catalog, images: Iterable[CocoImage], info: Mapping[str, Any]) -> None:
    """Write panoptic.json, atomically.

    Args:
        path: of the file; the PNGs lie in the folder beside it that is called like it without `.json`.
        catalog: class table.
        images: in the order that they shall have in the file.
        info: where the predictions come from; plain values.
    """
    images = list(images)
    content = {
        "info": dict(info),
        "images": [{"id": i.image_id, "file_name": i.file_name, "height": i.height, "width": i.width} for i in images],
        "annotations": [
            {"image_id": i.image_id, "file_name": f"{i.image_id}.png", "segments_info": list(i.segments)}
            for i in images
        ],
        "categories": category_records(catalog),
    }
    write_text_atomically(path, json.dumps(content) + "\n")


def category_records(catalog: Catalog) -> list[dict[str, Any]]:
    """The class table as panoptic.json holds it; ids are the data set's own."""
    return [
        {"id": c.dataset_id, "name": c.name, "isthing": int(c.is_thing), "color": list(c.color)}
        for c in catalog.classes
    ]


@dataclass(frozen=True)
class CocoPanoptic:
    """Reader of panoptic.json and its PNGs.

    Attributes:
        path: of the JSON; the PNGs lie in the folder beside it that is called like it without `.json`.
        catalog: class table that the categories are translated to.

    Raises:
        DataError: on first use, for a file that is missing or does not follow the format.
    """

    path: Path
    catalog: Catalog

    @cached_property
    def content(self) -> dict[str, Any]:
        """The JSON as it is."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; expected a panoptic.json in COCO's format") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: not readable as JSON ({error}); write it again") from error
        if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
            raise DataError(f"{self.path}: no list of annotations in it; expected a panoptic.json in COCO's format")
        return content

    @cached_property
    def _annotations(self) -> dict[str, dict[str, Any]]:
        try:
            return {str(a["image_id"]): a for a in self.content["annotations"]}
        except (KeyError, TypeError) as error:
            raise DataError(f"{self.path}: an annotation without image_id ({error})") from error

    @property
    def ids(self) -> tuple[str, ...]:
        """Image ids in the order of the file."""
        return tuple(self._annotations)

    @cached_property
    def photographs(self) -> dict[str, dict[str, Any]]:
        """Records of the list `images` by image id, as they are; empty if the file has no such list."""
        try:
            return {str(image["id"]): image for image in self.content.get("images", [])}
        except (KeyError, TypeError) as error:
            raise DataError(f"{self.path}: the list of images is not as in COCO's format ({error!r})") from error

    def read(self, image_id: str) -> PanopticMap:
        """The panoptic map of one image; a segment without a `score` gets 1.

        Raises:
            DataError: no such image; a missing or damaged PNG; a category outside the class table; a group (crowd)
                region, which a panoptic map cannot hold; or ids of the PNG at odds with the list of segments.
        """
        png, records = self._segments(image_id)
        train_id_of = {c.dataset_id: i for i, c in enumerate(self.catalog.classes)}
        for segment_id, record in records.items():
            if record["category_id"] not in train_id_of:
                raise self._unknown_category(image_id, record)
            if record.get("iscrowd", 0):
                raise DataError(f"{self.path}: image {image_id}: segment {segment_id} is a group region")
        try:
            segments = tuple(
                Segment(k, train_id_of[s["category_id"]], float(s.get("score", 1.0))) for k, s in records.items()
            )
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.path}: image {image_id}: not as in COCO's format ({error!r})") from error
        return PanopticMap(self._ids(png, records), segments)

    def truth(self, image_id: str) -> PanopticTruth:
        """Real labels of one image; instances are numbered from 1 in the order of their segment ids.

        Segments of things with `iscrowd` become group regions. Categories that the class table ignores become 255 like
        pixels without a segment; those that the file calls things keep an instance number.

        Raises:
            DataError: no such image; a missing or damaged PNG; a size other than the file gives; a category that is
                neither in the class table nor ignored; or ids of the PNG at odds with the list of segments.
        """
        png, records = self._segments(image_id)
        segment_ids = np.array([0, *sorted(records)])
        classes, numbers = np.full(len(segment_ids), IGNORE, np.uint8), np.zeros(len(segment_ids), np.int32)
        train_id_of = {c.dataset_id: i for i, c in enumerate(self.catalog.classes)}
        things = {c.get("id") for c in self.content.get("categories", []) if c.get("isthing")}
        for k, segment_id in enumerate(sorted(records), start=1):
            category = records[segment_id]["category_id"]
            if category not in train_id_of and category not in self.catalog.ignored_dataset_ids:
                raise self._unknown_category(image_id, records[segment_id])
            classes[k] = train_id_of.get(category, IGNORE)
            is_thing = self.catalog.is_thing[classes[k]] or (classes[k] == IGNORE and category in things)
            if is_thing and not records[segment_id].get("iscrowd", 0):
                numbers[k] = numbers.max() + 1
        ids = self._ids(png, records)
        photograph = self.photographs.get(image_id, {})
        size = photograph.get("height", ids.shape[0]), photograph.get("width", ids.shape[1])
        if size != ids.shape:
            raise DataError(
                f"{png}: {ids.shape[0]} x {ids.shape[1]} pixels (height x width), {self.path.name} says "
                f"{size[0]} x {size[1]}; write both again, together"
            )
        position = np.searchsorted(segment_ids, ids)
        return PanopticTruth(classes[position], numbers[position])

    def _segments(self, image_id: str) -> tuple[Path, dict[int, dict[str, Any]]]:
        """PNG of an image and its records by segment id."""
        if image_id not in self._annotations:
            raise DataError(f"{self.path}: no annotation of image {image_id}")
        annotation = self._annotations[image_id]
        try:
            # Read here so that whoever uses the records can rely on both.
            records = {int(s["id"]): {**s, "category_id": int(s["category_id"])} for s in annotation["segments_info"]}
            return self.path.with_suffix("") / annotation["file_name"], records
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.path}: image {image_id}: not as in COCO's format ({error!r})") from error

    def _unknown_category(self, image_id: str, record: dict[str, Any]) -> DataError:
        return DataError(
            f"{self.path}: image {image_id}: category {record['category_id']} is not in class table "
            f"{self.catalog.name!r}; choose the table that the file was written with"
        )

    def _ids(self, png: Path, records: Mapping[int, Any]) -> npt.NDArray[np.int32]:
        """The (H, W) segment ids of a PNG, held against the records."""
        ids = rgb_to_ids(read_rgb(png))
        found = {int(i) for i in np.unique(ids)} - {0}
        if found != set(records):
            odd = min(found ^ set(records))
            where = "has no record" if odd in found else "does not occur in the PNG"
            raise DataError(f"{png}: segment {odd} {where}; write the PNG and {self.path.name} again, together")
        return ids
