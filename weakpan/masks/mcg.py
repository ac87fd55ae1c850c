"""Masks in boxes with the segment proposals of MCG in place of our own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import BoolMask
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.basics.settings import between, setting
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.data.formats.mat_candidates import SegmentCandidates, read_candidates
from weakpan.masks.from_pixels import MasksFromPixels
from weakpan.masks.partition import extents_of
from weakpan.masks.proposals import Proposal
from weakpan.masks.region import Region
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import LoadImage, check_template, load_checked, require_folder


@dataclass(frozen=True, kw_only=True)
class McgMasks(MasksFromPixels):
    """Masks from the pixels, as `GrabCutAndProposals`, with the candidates of MCG for segment proposals.

    Attributes:
        path: folder of the MATLAB files, see `weakpan.data.formats.mat_candidates`.
        template: name of a file in it, with `{id}` for the image id, with or without its `.mat`.
        min_iou: least IoU of a candidate's bounding box with the box, 0..1; a box without such a candidate has no
            segment proposal.
    """

    path: Path
    template: str = "{id}"
    min_iou: float = setting(0.5, between(0, 1))

    def __post_init__(self) -> None:
        """Check the ranges; raises ConfigError."""
        super().__post_init__()
        check_template(self.template)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return (
            f"masks in boxes from GrabCut and the segment proposals of MCG in {self.path.name}, whose edges are "
            "learned from boundary labels: boundary supervision"
        )

    def check_files(self) -> None:
        """Look for the folder; raises ConfigError."""
        require_folder(self.path)

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says."""
        path = self.path / f"{self.template.removesuffix('.mat').replace('{id}', annotation.image_id)}.mat"
        if not path.is_file():
            raise DataError(
                "no such file",
                path=path,
                remedy=f"add the MCG candidates of image {annotation.image_id}, or take it out of the list of training "
                "images",
            )
        candidates = read_candidates(path, (annotation.height, annotation.width))
        proposer = BestCandidates(candidates, self.min_iou)
        return self.masks_in_boxes(load_checked(annotation, load_image), annotation.boxes, proposer)


class BestCandidates:
    """Proposes for a box the candidate whose bounding box fits it best (Li, Arnab and Torr, 2018)."""

    def __init__(self, candidates: SegmentCandidates, min_iou: float) -> None:
        self.candidates, self.min_iou = candidates, min_iou
        self.extents = candidate_extents(candidates)
        self.ids = int(candidates.superpixels.max()) + 1

    def choose(self, box: Box) -> int | None:
        """The candidate of the highest IoU, counted from 0; None if that is below the least one or 0.

        Candidates of equal IoU are taken by score, then in their order.
        """
        if not len(self.candidates):
            return None
        top, bottom, left, right = self.extents.T
        height = np.minimum(bottom, box.ymax + 1) - np.maximum(top, box.ymin)
        width = np.minimum(right, box.xmax + 1) - np.maximum(left, box.xmin)
        shared = np.maximum(height, 0) * np.maximum(width, 0)
        iou = shared / ((bottom - top) * (right - left) + box.area - shared)
        best = iou.max()
        if best < self.min_iou or best == 0:
            return None
        equal = np.flatnonzero(iou == best)
        return int(equal[self.candidates.scores[equal].argmax()])

    def __call__(self, box: Box, region: Region, /) -> Proposal | None:
        """The chosen candidate; None where there is none, or where it has no pixel in the box."""
        chosen = self.choose(box)
        if chosen is None:
            return None
        # Only what surrounds the box is drawn: masks of all candidates, at the size of the image, would be gigabytes.
        rows, cols = region.surroundings(box)
        members = np.zeros(self.ids, np.bool_)
        members[self.candidates.superpixels_of(chosen)] = True
        around: BoolMask = members[self.candidates.superpixels[rows, cols]]
        inside = region.cut_to_box(around)
        return Proposal(region.from_crop(around), inside) if inside.any() else None


def candidate_extents(candidates: SegmentCandidates) -> npt.NDArray[np.int64]:
    """(c, 4) first row, row after the last, first column, column after the last of every candidate, pixels.

    They are joined from those of the superpixels; no candidate is drawn.
    """
    if not len(candidates):
        return np.zeros((0, 4), np.int64)
    # Candidates name no id that is not in the image.
    of_members = extents_of(candidates.superpixels, int(candidates.superpixels.max()))[candidates.members - 1]
    joined = np.empty((len(candidates), 4), np.int64)
    joined[:, 0::2] = np.minimum.reduceat(of_members[:, 0::2], candidates.starts)
    joined[:, 1::2] = np.maximum.reduceat(of_members[:, 1::2], candidates.starts)
    return joined
