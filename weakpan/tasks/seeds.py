"""Seeds of one image: the units of work that processes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.errors import DataError
from weakpan.data.annotations import WeakAnnotations
from weakpan.seeds.source import Images
from weakpan.storage.stage_record import StageRecord
from weakpan.tasks.stores import Maps


def check_seed_input(images: Images, annotations: WeakAnnotations, image_id: str) -> Counter[str]:
    """Read all that the seeds of an image are made from, so that what is damaged is known before a network starts.

    Raises:
        DataError: image, boxes or tags are missing, damaged or of different sizes.
    """
    try:
        height, width = images.image(image_id).shape[:2]
    except KeyError:
        raise DataError(f"image {image_id}: not in the split; add it, or take the id out of the list") from None
    annotation = annotations.images[image_id]
    if (annotation.height, annotation.width) != (height, width):
        raise DataError(
            f"image {image_id}: {height} x {width} pixels (height x width), its boxes and tags are of "
            f"{annotation.height} x {annotation.width}; give the image that they belong to"
        )
    return Counter(images=1)


@dataclass(frozen=True)
class WriteSeeds:
    """Claims the folder for the settings of the stage, then writes seeds; travels to worker processes."""

    record: StageRecord
    maps: Maps

    def __call__(self, image_id: str, values: SemanticMap) -> None:
        """Write the seeds of an image, (H, W) uint8 train ids, 255 unlabelled, atomically."""
        self.record.claim()
        self.maps.write(image_id, values)

    def made_by(self, make: Callable[[str], SemanticMap], image_id: str) -> Counter[str]:
        """Make the seeds of an image and write them."""
        self(image_id, make(image_id))
        return Counter(images=1)
