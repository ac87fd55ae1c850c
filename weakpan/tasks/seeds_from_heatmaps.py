"""Stage `seeds` with `heatmaps_from`: label maps from heatmaps that were kept, without a network.

A record an image notes the CRC-32 of the heatmaps that a map was made from; when these change, the map is
made again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakpan.basics.arrays import IGNORE, RGBImage, SemanticMap
from weakpan.basics.errors import DataError
from weakpan.data.candidates import CandidateSets, whole_image_sets
from weakpan.seeds.heatmaps import CamHeatmaps, HeatmapFolder
from weakpan.seeds.rules import HeatmapRule
from weakpan.storage.images import is_whole, read_rgb
from weakpan.storage.records import JsonRecords, checksum
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.stores import Maps


@dataclass(frozen=True)
class SeedsFromHeatmaps:
    """The label map of one image, from its kept heatmaps; shared over processes, each of which imports torch once.

    Attributes:
        annotations: boxes and tags; images, which a rule may look at.
        heatmaps: as an earlier stage kept them.
        maps: where maps go.
        sources: where it is noted which heatmaps, by their checksum, each map was made from.
        rule: from heatmaps to a label map; scales and mirror images are those of the heatmaps.
    """

    annotations: AnnotationSource
    heatmaps: HeatmapFolder
    maps: Maps
    sources: JsonRecords
    rule: HeatmapRule

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        path = self.heatmaps.path(image_id)
        if not path.is_file():
            return path
        if self.rule.needs_image and (image := self.annotations.missing_image(image_id)) is not None:
            return image
        return self.annotations.missing(image_id, with_tags=True) if self.rule.needs_candidates else None

    def files(self, image_id: str) -> tuple[Path, ...]:
        """The map of an image."""
        return (self.maps.path(image_id),)

    def is_done(self, image_id: str) -> bool:
        """Whether the map is there, whole, and made from the heatmaps as they are now."""
        return is_whole(self.maps.path(image_id)) and self.sources.says(image_id, self._source(image_id))

    def _source(self, image_id: str) -> dict[str, int | None]:
        return {"crc32": checksum(self.heatmaps.path(image_id))}

    def make(self, image_id: str) -> tuple[SemanticMap, dict[str, int | None]]:
        """The map of an image, and the checksum of its heatmaps.

        Raises:
            DataError: what it is made from is missing, damaged, of another size, or of other crops or tags.
        """
        # The process that only hands out images is spared the seconds that torch costs.
        from weakpan.seeds.label_maps import label_map_from_kept

        # Before they are read: if they change meanwhile, the map counts as one of others and is made again.
        source, kept = self._source(image_id), self.heatmaps.read(image_id)
        self._same_crops(image_id, kept)
        sets, image = self._sets(image_id, kept), self._image(image_id, kept.size)
        return label_map_from_kept(kept, self.rule, sets, image), source

    def write(self, image_id: str, made: tuple[SemanticMap, dict[str, int | None]]) -> Counter[str]:
        """Write the map of an image; counts pixels and labelled pixels."""
        labels, source = made
        self.maps.write(image_id, labels)
        self.sources.write(image_id, source)
        return Counter({"images": 1, "pixels": labels.size, "pixels labelled": int(np.count_nonzero(labels != IGNORE))})

    def _same_crops(self, image_id: str, kept: CamHeatmaps) -> None:
        grid = self.annotations.grid
        if kept.crop != (grid.height, grid.width):
            height, width = kept.crop
            raise DataError(
                f"{self.heatmaps.path(image_id)}: made with crops of {height} x {width} pixels (height x width), here "
                f"they are {grid.height} x {grid.width}; give data.crop.height={height} data.crop.width={width}, and "
                "tags of such crops"
            )

    def _sets(self, image_id: str, kept: CamHeatmaps) -> CandidateSets | None:
        if not self.rule.needs_candidates:
            return None
        annotation = self.annotations.annotation(image_id, kept.size, with_tags=True)
        if set(kept.classes) != annotation.image_tags:
            names = self.annotations.catalog.names
            found, expected = (
                ", ".join(names[k] for k in sorted(classes)) or "none"
                for classes in (kept.classes, annotation.image_tags)
            )
            raise DataError(
                f"{self.heatmaps.path(image_id)}: heatmaps of the classes {found}; the image has the tags {expected}; "
                "give the tags that the heatmaps were made with, or make heatmaps with these"
            )
        return whole_image_sets(annotation, self.annotations.grid, self.annotations.catalog)

    def _image(self, image_id: str, size: tuple[int, int]) -> RGBImage | None:
        if not self.rule.needs_image:
            return None
        path = self.annotations.image_path(image_id)
        image = read_rgb(path)
        if image.shape[:2] != size:
            raise DataError(
                f"{path}: {image.shape[0]} x {image.shape[1]} pixels (height x width), {self.heatmaps.path(image_id)} "
                f"is of {size[0]} x {size[1]}; give the images that the heatmaps were made from"
            )
        return image
