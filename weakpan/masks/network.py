"""Masks in boxes with a mask network among the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Protocol

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.masks.fusion import FusionSettings
from weakpan.masks.grabcut_and_proposals import GrabCutAndProposals
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.sam_folder import FOUNDATION, check_sam_folder, weight_files
from weakpan.masks.source import LoadImage, load_checked
from weakpan.storage.files import content_digest

# Imported when a network is asked: processes that ask none are spared the seconds and the memory that torch costs.
MASK_NET = "weakpan.masks.network_predictor"
SAM = "weakpan.masks.sam_predictor"


class MaskPredictor(Protocol):
    """Something that finds how likely the pixels of boxes are their objects."""

    def probabilities(self, image: RGBImage, boxes: Sequence[Box], /) -> Mapping[int, FloatMap]:
        """By position of the instance boxes in `boxes`, (box height, box width), 0..1; the same for equal input."""
        ...


@dataclass(frozen=True, kw_only=True)
class NetworkMasks(GrabCutAndProposals):
    """Masks from the pixels: evidence of GrabCut, a segment proposal, the shape of a box and a mask network.

    Only the path travels to worker processes. Each reads the network once, and importing torch costs it some seconds.

    Attributes:
        path: of the network: the file that `make_gt.py stage=mask_net` wrote, or the folder of a model of the SAM
            family.
        weight: factor of the network's log odds, 0..100.
    """

    path: Path
    weight: float = setting(1.0, between(0, 100))
    fusion: FusionSettings = field(default_factory=FusionSettings)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        head = f"masks in boxes from GrabCut, segment proposals and {self.path.name}"
        if self.path.is_dir():
            return f"{head}, {FOUNDATION}"
        return f"{head}, a network that learned from boxes, {self.contours.supervision}"

    def check_files(self) -> None:
        """Look for the network and the files of the contours."""
        super().check_files()
        if not self.path.exists():
            raise ConfigError("no such file or folder", key="path", found=self.path)
        if self.path.is_dir():
            check_sam_folder(self.path)

    def contents(self) -> dict[str, str]:
        """Checksums of the weights and of the files of the contours."""
        return {"path": content_digest(weight_files(self.path)), **super().contents()}

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says."""
        image = load_checked(annotation, load_image)
        predicted = mask_predictor(self.path, self.path.is_dir()).probabilities(image, annotation.boxes)
        return self.masks_in_boxes(image, annotation.boxes, self.proposer, predicted, self.weight)


def mask_predictor(path: Path, sam: bool) -> MaskPredictor:
    """The mask network of a file, or the model of the SAM family of a folder; a process keeps the last one.

    Args:
        path: of the file or folder.
        sam: whether it is a model of the SAM family.

    Raises:
        ConfigError: the library that reads a model of the SAM family is not installed.
        DataError: it is missing or damaged.
    """
    # Files are read again only when their time or size has changed.
    return _predictor(path, sam, content_digest(file for file in weight_files(path) if file.is_file()))


@lru_cache(maxsize=1)
def _predictor(path: Path, sam: bool, content: str) -> MaskPredictor:  # noqa: ARG001
    if sam:
        found: MaskPredictor = import_module(SAM).read_sam(path)
    else:
        found = import_module(MASK_NET).read_mask_net(path)
    return found
