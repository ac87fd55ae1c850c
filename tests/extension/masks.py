"""A source of masks outside weakpan: what is brighter than the mean of its box, and a file that says how much."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, check_settings, setting
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks import MaskSource
from weakpan.masks.matching import LooseMask, match_masks
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import LoadImage, require_file
from weakpan.storage.files import content_digest


@dataclass(frozen=True)
class BrightMasks(MaskSource):
    """Pixels of a box that are brighter than its mean by a factor.

    Attributes:
        path: text file with a second factor.
        factor: 0..10.
        least: smallest share of a box that counts, 0..1.
    """

    path: Path
    factor: float = setting(1.0, between(0, 10))
    least: float = setting(0.0, between(0, 1))

    def __post_init__(self) -> None:
        """Check the ranges, and what no range tells."""
        check_settings(self)
        if self.factor < self.least:
            raise ConfigError("has to be at least as large as least", key="factor", found=self.factor)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return "masks in boxes from brightness alone"

    def check_files(self) -> None:
        """Look for the file."""
        require_file(self.path)

    def contents(self) -> dict[str, str]:
        """Checksum of the file."""
        return {"path": content_digest([self.path])}

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """Masks in the boxes of one image."""
        brightness = load_image().mean(axis=2)
        factor = self.factor * float(self.path.read_text())
        loose = []
        for box in annotation.boxes:
            whole = np.zeros(brightness.shape, np.bool_)
            inside = brightness[box.slices]
            whole[box.slices] = inside > factor * inside.mean()
            found = LooseMask.cut(whole, box.class_id)
            if found is not None and whole[box.slices].mean() >= self.least:
                loose.append(found)
        return match_masks(annotation, loose)
