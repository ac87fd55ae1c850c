"""Images and ground truth of the split that a stage works on: read to score what it made, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weakpan.basics.arrays import RGBImage, SemanticMap
from weakpan.basics.errors import DataError
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.storage.records import checksum


@dataclass(frozen=True)
class ScoredImages(GroundTruth):
    """Ground truth of a split and its images; readers raise DataError for damaged files."""

    @cached_property
    def _images(self) -> ImageTree:
        return ImageTree(self.root, self.split, self.catalog, self.templates)

    def missing_instances(self, image_id: str) -> Path | None:
        """The image or instance map that is not there, or None."""
        return self._missing_image(image_id) or super().missing_instances(image_id)

    def missing_classes(self, image_id: str) -> Path | None:
        """The image or label map that is not there, or None; an instance map in place of the latter will do."""
        return self._missing_image(image_id) or super().missing_classes(image_id)

    def _missing_image(self, image_id: str) -> Path | None:
        template = self.templates.image
        return None if self._files.find(template, image_id) else self._files.expected(template, image_id)

    def checksums(self, image_id: str) -> list[int | None]:
        """Of the label maps of an image, which tell whether they are those that it was scored on."""
        return [checksum(path) for path in self.files(image_id)]

    def image(self, image_id: str) -> RGBImage:
        """The image: (H, W, 3) RGB."""
        return self._images.image(image_id)


def check_map_size(path: Path, made: SemanticMap, truth: SemanticMap) -> tuple[int, int]:
    """Height and width of a map that was made; raises DataError where the ground truth has others."""
    height, width = truth.shape
    if made.shape != (height, width):
        raise DataError(
            f"{made.shape[0]} x {made.shape[1]} pixels (height x width), the ground truth has {height} x {width}",
            path=path,
            remedy="delete the map and run the stage again",
        )
    return height, width
