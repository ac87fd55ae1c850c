"""Stage `cams` with `source.heatmaps`: CAM label maps from heatmaps that were kept, without a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakpan.arrays import IGNORE, RGBImage
from weakpan.cues.cam_heatmaps import HeatmapFolder
from weakpan.cues.cam_settings import PUBLISHED, CamSettings
from weakpan.data.candidates import CandidateSets, candidate_sets
from weakpan.data.released import ReleasedTree
from weakpan.errors import DataError
from weakpan.images import read_rgb
from weakpan.make_gt.settings import Claim
from weakpan.make_gt.weak_source import WeakSource
from weakpan.make_gt.whole import is_whole


@dataclass(frozen=True)
class RecutCams:
    """The CAM label map of one image, from its kept heatmaps; shared over processes, each of which imports torch once.

    Attributes:
        weak: boxes and tags; photographs, which the flow of probabilities needs.
        heatmaps: as an earlier stage kept them.
        out: where maps go.
        cam: the rule; scales and mirror images are those of the heatmaps.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    heatmaps: HeatmapFolder
    out: ReleasedTree
    cam: CamSettings
    claim: Claim | None = None

    @property
    def _competing(self) -> bool:
        return self.cam.rule != PUBLISHED

    @property
    def _flows(self) -> bool:
        return self._competing and self.cam.diffusion.steps > 0

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        path = self.heatmaps.path(image_id)
        if not path.is_file():
            return path
        if self._flows and (photograph := self.weak.maps.missing_photograph(image_id)) is not None:
            return photograph
        return (self.weak.missing_boxes(image_id) or self.weak.missing_tags(image_id)) if self._competing else None

    def is_done(self, image_id: str) -> bool:
        """Whether the map is there and whole."""
        return is_whole(self.out.cam_path(image_id))

    def __call__(self, image_id: str) -> Counter[str]:
        """Cut and write the map of an image; counts pixels and labelled pixels.

        Raises:
            DataError: what it is made from is missing, damaged or of another size.
        """
        # The process that only hands out images is spared the seconds that torch costs.
        from weakpan.cues.cam_cut import cut_kept

        kept = self.heatmaps.read(image_id)
        labels = cut_kept(kept, self.cam, self._sets(image_id, kept.size), self._photograph(image_id, kept.size))
        if self.claim is not None:
            self.claim()
        self.out.write_cam(image_id, labels)
        return Counter(images=1, pixels=labels.size, labelled=int(np.count_nonzero(labels != IGNORE)))

    def _sets(self, image_id: str, size: tuple[int, int]) -> CandidateSets | None:
        if not self._competing:
            return None
        annotation = self.weak.annotation(image_id, size, with_tags=True)
        return candidate_sets(annotation, self.weak.grid, self.weak.catalog, np.arange(size[0]), np.arange(size[1]))

    def _photograph(self, image_id: str, size: tuple[int, int]) -> RGBImage | None:
        if not self._flows:
            return None
        path = self.weak.photograph(image_id)
        image = read_rgb(path)
        if image.shape[:2] != size:
            raise DataError(
                f"{path}: {image.shape[0]} x {image.shape[1]} pixels (height x width), {self.heatmaps.path(image_id)} "
                f"is of {size[0]} x {size[1]}; give the photographs that the heatmaps were made from"
            )
        return image
