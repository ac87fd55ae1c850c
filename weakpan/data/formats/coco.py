"""COCO panoptic format: a PNG an image whose colours are segment ids, and one JSON that says what the ids are.

The colour of a pixel is its segment's id in base 256, red first: `id = R + 256 G + 65536 B`; black is no segment
(https://cocodataset.org/#format-data, "Panoptic Segmentation"; the same as `rgb2id` of cocodataset/panopticapi). Ids
start anew in every image. `category_id` is the class table's dataset id. Every segment carries a `score` beside the
fields of the standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from weakpan.basics.arrays import IGNORE, RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment
from weakpan.data.formats.coco_models import ImageEntry, PanopticAnnotation, PanopticFile, SegmentEntry
from weakpan.storage.images import read_rgb, write_png
from weakpan.storage.json_files import read_json, write_json

MAX_ID = 256**3 - 1
"""Largest id that three colour channels hold."""


@dataclass(frozen=True)
class CocoImage:
    """What panoptic.json says of one image.

    Attributes:
        image_id: unique in the file; the PNG is called `{image_id}.png`.
        file_name: of the image, relative to the folder that was predicted.
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
    """(H, W) segment ids, 0..MAX_ID, as (H, W, 3) uint8 RGB; raises ValueError for ids out of that range."""
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
    areas = np.bincount(ids.ravel())
    return {
        k: (int(areas[k]), [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start])
        for k, found in enumerate(ndimage.find_objects(ids), start=1)
        if found is not None
        for rows, columns in [found]
    }


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
    write_json(path, content)


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
    def _content(self) -> PanopticFile:
        return read_json(self.path, PanopticFile, "write it again, in COCO's panoptic format")

    @cached_property
    def _annotations(self) -> dict[str, PanopticAnnotation]:
        return {str(annotation.image_id): annotation for annotation in self._content.annotations}

    @property
    def ids(self) -> tuple[str, ...]:
        """Image ids in the order of the file."""
        return tuple(self._annotations)

    @cached_property
    def images(self) -> dict[str, ImageEntry]:
        """Entries of the list `images` by image id; empty if the file has no such list."""
        return {str(image.id): image for image in self._content.images}

    @cached_property
    def _train_ids(self) -> dict[int, int]:
        return {info.dataset_id: train_id for train_id, info in enumerate(self.catalog.classes)}

    def read(self, image_id: str) -> PanopticMap:
        """The panoptic map of one image; a segment without a `score` gets 1.

        Raises:
            DataError: no such image; a missing or damaged PNG; a category outside the class table; a group (crowd)
                region, which a panoptic map cannot hold; or ids of the PNG at odds with the list of segments.
        """
        png, segments = self._segments(image_id)
        for segment in segments.values():
            if segment.category_id not in self._train_ids:
                raise self._unknown_category(image_id, segment)
            if segment.iscrowd:
                raise DataError(f"{self.path}: image {image_id}: segment {segment.id} is a group region")
        found = tuple(Segment(s.id, self._train_ids[s.category_id], s.score) for s in segments.values())
        return PanopticMap(self._ids(png, segments), found)

    def truth(self, image_id: str) -> PanopticTruth:
        """Ground truth of one image; instances are numbered from 1 in the order of their segment ids.

        Segments of things with `iscrowd` become group regions. Categories that the class table ignores become 255 like
        pixels without a segment; those that the file calls things keep an instance number.

        Raises:
            DataError: no such image; a missing or damaged PNG; a size other than the file gives; a category that is
                neither in the class table nor ignored; or ids of the PNG at odds with the list of segments.
        """
        png, segments = self._segments(image_id)
        segment_ids = np.array([0, *sorted(segments)])
        classes, numbers = np.full(len(segment_ids), IGNORE, np.uint8), np.zeros(len(segment_ids), np.int32)
        things = {category.id for category in self._content.categories if category.isthing}
        for k, segment_id in enumerate(sorted(segments), start=1):
            segment = segments[segment_id]
            category = segment.category_id
            if category not in self._train_ids and category not in self.catalog.ignored_dataset_ids:
                raise self._unknown_category(image_id, segment)
            classes[k] = self._train_ids.get(category, IGNORE)
            is_thing = self.catalog.is_thing[classes[k]] or (classes[k] == IGNORE and category in things)
            if is_thing and not segment.iscrowd:
                numbers[k] = numbers.max() + 1
        ids = self._ids(png, segments)
        image = self.images.get(image_id)
        size = (image.height or ids.shape[0], image.width or ids.shape[1]) if image else ids.shape
        if size != ids.shape:
            raise DataError(
                f"{png}: {ids.shape[0]} x {ids.shape[1]} pixels (height x width), {self.path.name} says "
                f"{size[0]} x {size[1]}; write both again, together"
            )
        position = np.searchsorted(segment_ids, ids)
        return PanopticTruth(classes[position], numbers[position])

    def _segments(self, image_id: str) -> tuple[Path, dict[int, SegmentEntry]]:
        """PNG of an image and its segments by id."""
        if image_id not in self._annotations:
            raise DataError(f"{self.path}: no annotation of image {image_id}")
        annotation = self._annotations[image_id]
        return self.path.with_suffix("") / annotation.file_name, {s.id: s for s in annotation.segments_info}

    def _unknown_category(self, image_id: str, segment: SegmentEntry) -> DataError:
        return DataError(
            f"{self.path}: image {image_id}: category {segment.category_id} is not in class table "
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
