"""Where masks in boxes come from: made here from the pixels, or read from files that another tool wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from weakpan.basics.arrays import RGBImage
from weakpan.basics.errors import DataError
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks.box_masks import BoxMaskResult, MaskSettings, masks_in_boxes


class MaskSource(Protocol):
    """A source of masks in boxes.

    Sources travel to worker processes: they can be pickled, are small when they are, and do without torch. One that
    has a mask a box, or loose masks to match with boxes, makes its map with `mask_matching.match_masks`.
    """

    def masks(self, annotation: ImageAnnotation, image: Callable[[], RGBImage], /) -> BoxMaskResult:
        """Masks in the boxes of one image.

        Args:
            annotation: of the image: its id, size and boxes.
            image: loads the photograph, (H, W, 3) RGB; files are enough for some sources, and they never call it.

        Raises:
            DataError: the source has nothing on this image, or what it has is damaged or of another size.
        """
        ...


@dataclass(frozen=True)
class GrabCutAndProposals:
    """Masks from the pixels: a vote of GrabCut, a segment proposal and the shape of a box, or what the first two share.

    Attributes:
        settings: the dials.
    """

    settings: MaskSettings = field(default_factory=MaskSettings)

    def masks(self, annotation: ImageAnnotation, image: Callable[[], RGBImage]) -> BoxMaskResult:
        """Masks in the boxes of one image.

        Raises:
            DataError: the photograph has another size than the annotation says.
        """
        pixels = image()
        check_size(annotation, pixels)
        return masks_in_boxes(pixels, annotation.boxes, self.settings)


def check_size(annotation: ImageAnnotation, pixels: RGBImage) -> None:
    """Refuse a photograph of another size than its annotation speaks of; raises DataError."""
    if pixels.shape[:2] != (annotation.height, annotation.width):
        raise DataError(
            f"image {annotation.image_id}: {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), its weak "
            f"annotation says {annotation.height} x {annotation.width}; annotate this version of the image"
        )
