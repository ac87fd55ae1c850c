"""COCO's JSON files as models: what is read of them; other keys are passed over.

https://cocodataset.org/#format-data ("Panoptic Segmentation", "Object Detection") and #format-results.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import FailFast, Field

from weakpan.storage.json_files import Document, WholeNumber

ImageId = WholeNumber | str
Flag = Annotated[bool | int, Field(description="0 or 1")]


class ImageEntry(Document):
    """An entry of the list `images`."""

    id: ImageId
    file_name: str | None = None
    height: WholeNumber | None = None
    width: WholeNumber | None = None


class Category(Document):
    """An entry of the list `categories`."""

    id: WholeNumber
    name: str | None = None
    isthing: Flag = 0


class SegmentEntry(Document):
    """One segment of a panoptic map; `score` is no part of the standard."""

    id: WholeNumber
    category_id: WholeNumber
    iscrowd: Flag = 0
    score: float = 1.0


class PanopticAnnotation(Document):
    """The segments of one image; the PNG is called `file_name`."""

    image_id: ImageId
    file_name: str
    segments_info: list[SegmentEntry]


class PanopticFile(Document):
    """A panoptic.json."""

    annotations: Annotated[list[PanopticAnnotation], FailFast()]
    images: tuple[ImageEntry, ...] = ()
    categories: tuple[Category, ...] = ()
