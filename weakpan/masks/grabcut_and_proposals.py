"""Masks in boxes from the pixels alone, with segment proposals of our own."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks.contours import Contours, LabContours
from weakpan.masks.from_pixels import MasksFromPixels
from weakpan.masks.proposals import MergedSegments, ShapeWeights
from weakpan.masks.result import BoxMaskResult
from weakpan.masks.source import LoadImage, load_checked


@dataclass(frozen=True, kw_only=True)
class GrabCutAndProposals(MasksFromPixels):
    """Masks from the pixels: evidence of GrabCut, a segment proposal and the shape of a box.

    Attributes:
        contours: what segments are cut along.
        proposal_weights: by which a proposal is chosen; None chooses by the IoU of its bounding box with the box, as
            published.
    """

    contours: Contours = field(default_factory=LabContours)
    proposal_weights: ShapeWeights | None = field(default_factory=ShapeWeights)

    def __post_init__(self) -> None:
        """Check the ranges; raises ConfigError."""
        super().__post_init__()
        if not isinstance(self.contours, Contours):
            raise ConfigError(
                "expected an object of a subclass of weakpan.masks.Contours", key="contours", found=self.contours
            )

    @property
    def proposer(self) -> MergedSegments:
        """Segment proposals with these settings."""
        return MergedSegments(self.proposal_weights, self.contours)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return f"masks in boxes from GrabCut and segment proposals, {self.contours.supervision}"

    def check_files(self) -> None:
        """Look for the files of the contours; raises ConfigError, and whatever these do."""
        try:
            self.contours.check_files()
        except ConfigError as error:
            raise error.below("contours") from error

    def contents(self) -> dict[str, str]:
        """Checksums of the files of the contours."""
        return {f"contours.{key}": digest for key, digest in self.contours.contents().items()}

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says."""
        return self.masks_in_boxes(load_checked(annotation, load_image), annotation.boxes, self.proposer)
