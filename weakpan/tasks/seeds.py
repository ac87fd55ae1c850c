"""Seeds of one image: the units of work that processes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.errors import DataError
from weakpan.data.annotations import WeakAnnotations
from weakpan.seeds.source import Images


@dataclass(frozen=True)
class CheckSeedInput:
    """Reads all that the seeds of one image are made from, so that what is damaged is known before a network starts.

    Attributes:
        images: of the split.
        annotations: their boxes and tags.
    """

    images: Images
    annotations: WeakAnnotations

    def is_done(self, image_id: str) -> bool:  # noqa: ARG002
        """False: an input may change at any time."""
        return False

    def __call__(self, image_id: str) -> Counter[str]:
        """Read image, boxes and tags; raises DataError if they are missing, damaged or of different sizes."""
        try:
            height, width = self.images.image(image_id).shape[:2]
        except KeyError:
            raise DataError(f"image {image_id}: not in the split; add it, or take the id out of the list") from None
        annotation = self.annotations.images[image_id]
        if (annotation.height, annotation.width) != (height, width):
            raise DataError(
                f"image {image_id}: {height} x {width} pixels (height x width), its boxes and tags are of "
                f"{annotation.height} x {annotation.width}; give the image that they belong to"
            )
        return Counter(images=1)


@dataclass(frozen=True)
class WriteSeeds:
    """Makes and writes the seeds of one image.

    Attributes:
        make: from an image id to its label map, (H, W) uint8 train ids, 255 unlabelled.
        write: takes an image id and its map.
    """

    make: Callable[[str], SemanticMap]
    write: Callable[[str, SemanticMap], None]

    def is_done(self, image_id: str) -> bool:  # noqa: ARG002
        """False: only images without seeds are shared."""
        return False

    def __call__(self, image_id: str) -> Counter[str]:
        """Make and write."""
        self.write(image_id, self.make(image_id))
        return Counter(images=1)
