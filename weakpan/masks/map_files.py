"""Masks in boxes from a PNG an image: instance ids that any tool wrote, or maps as the authors released them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.measure import regionprops

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import BoxKind, ImageAnnotation
from weakpan.data.formats.released import read_masks
from weakpan.masks.matching import LooseMask, MatchedMasks, match_record
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import LoadImage, MaskSource, check_template, require_folder
from weakpan.storage.images import read_map


@dataclass(frozen=True)
class IdMasks(MatchedMasks):
    """A PNG an image with the ids of its masks, given to the boxes that they fit best.

    Any numbering will do, of 8 or 16 bits; 0 is no mask. The ids say nothing about classes, so that a mask fits boxes
    of every class. `path` is the folder of the PNGs.
    """

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return f"masks in boxes read from {self.path.name} (ids), with whatever its tool has learned from"

    def check_files(self) -> None:
        """Look for the folder; raises ConfigError."""
        require_folder(self.path)

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says; the image is not loaded."""
        ids = _read_sized(self.path / f"{self.template.replace('{id}', annotation.image_id)}.png", annotation)
        loose = [LooseMask(r.bbox[0], r.bbox[1], r.image) for r in regionprops(ids)]  # type: ignore[no-untyped-call]
        return self.match(annotation, loose)


@dataclass(frozen=True)
class ReleasedMasks(MaskSource):
    """Finished maps in the format of the masks that the authors released.

    An indexed PNG an image: 0 no thing here, 255 undecided, else the train id of a thing. Where the first class of the
    class table is a thing, 254 stands for no thing.

    Attributes:
        path: folder of the PNGs.
        template: name of a file in it without `.png`, with `{id}` for the image id.

    Raises:
        ConfigError: a template without `{id}`.
    """

    path: Path
    template: str = "{id}_leftImg8bit"

    def __post_init__(self) -> None:
        """Check the template."""
        check_template(self.template)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return f"masks in boxes read from {self.path.name} (released), with whatever its tool has learned from"

    def check_files(self) -> None:
        """Look for the folder; raises ConfigError."""
        require_folder(self.path)

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """The map of one image, in our values (see `weakpan.data.formats.released`); the image is not loaded.

        The map does not tell the boxes of a class apart: the `cover` of a record counts every pixel of the class.
        """
        path = self.path / f"{self.template.replace('{id}', annotation.image_id)}.png"
        semantic = read_masks(path, catalog)
        _check_size(path, semantic, annotation)
        records = tuple(
            match_record(index, box, float((semantic[box.slices] == box.class_id).mean()))
            for index, box in enumerate(annotation.boxes)
            if box.kind is BoxKind.INSTANCE
        )
        return BoxMaskResult(semantic, records)


def _read_sized(path: Path, annotation: ImageAnnotation) -> npt.NDArray[np.integer]:
    """The (H, W) map of an image, 0..65535."""
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; add the masks of image {annotation.image_id}, or take it out of the list of "
            "training images"
        )
    values = read_map(path)
    if values.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path}: expected a PNG of 8 or 16 bits, found {values.dtype}; write it again")
    _check_size(path, values, annotation)
    return values


def _check_size(path: Path, values: npt.NDArray[np.integer], annotation: ImageAnnotation) -> None:
    if values.shape != (annotation.height, annotation.width):
        raise DataError(
            f"{path}: {values.shape[0]} x {values.shape[1]} pixels (height x width), the weak annotation of "
            f"{annotation.image_id} says {annotation.height} x {annotation.width}; make the masks at the size of the "
            "image"
        )
