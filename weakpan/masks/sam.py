"""Masks in boxes from a model of the SAM family, which is prompted with the boxes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from weakpan.basics.arrays import BoolMask, FloatMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.settings import check_settings, one_of, setting
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.masks.fallback import FallbackSettings, fallback_mask
from weakpan.masks.network import mask_predictor
from weakpan.masks.painting import Overlap, paint_masks
from weakpan.masks.result import BoxMaskResult, BoxRecord, Fallback
from weakpan.masks.sam_folder import FOUNDATION, check_sam_folder, weight_files
from weakpan.masks.source import LoadImage, MaskSource, load_checked, require_folder
from weakpan.storage.files import content_digest


@dataclass(frozen=True)
class SamMasks(MaskSource):
    """Masks that a model of the SAM family finds for the boxes, cut to them.

    Only the path travels to worker processes. Each reads the model once, and works on one thread of the processor.

    Attributes:
        path: folder of the model.
        fallback: for boxes whose mask is small.
        overlap: where the masks of two classes meet: "small" for the smaller box, "ignore" for undecided.
    """

    path: Path
    fallback: FallbackSettings = field(default_factory=FallbackSettings)
    overlap: str = setting("small", one_of(Overlap))

    def __post_init__(self) -> None:
        """Check the ranges; raises ConfigError."""
        check_settings(self)

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words."""
        return f"masks in boxes from {self.path.name}, {FOUNDATION}"

    def check_files(self) -> None:
        """Look for the model."""
        require_folder(self.path)
        check_sam_folder(self.path)

    def contents(self) -> dict[str, str]:
        """Checksum of the weights."""
        return {"path": content_digest(weight_files(self.path))}

    def masks(self, annotation: ImageAnnotation, load_image: LoadImage, catalog: Catalog) -> BoxMaskResult:  # noqa: ARG002
        """As the base says."""
        image = load_checked(annotation, load_image)
        predicted = mask_predictor(self.path, sam=True).probabilities(image, annotation.boxes)
        masks: dict[int, BoolMask] = {}
        records = []
        for index in sorted(predicted):
            masks[index], record = self._mask_in_box(index, annotation.boxes[index], predicted[index])
            records.append(record)
        # It has seen what stands in front of an object, so that a box further in front takes no more than its own mask.
        semantic = paint_masks(image.shape[:2], annotation.boxes, masks, Overlap(self.overlap), doubt_hides=False)
        return BoxMaskResult(semantic, tuple(records))

    def _mask_in_box(self, index: int, box: Box, probability: FloatMap) -> tuple[BoolMask, BoxRecord]:
        mask: BoolMask = probability >= 0.5
        area = int(mask.sum())
        small = area == 0 or area < self.fallback.min_cover * mask.size
        if small:
            height, width = mask.shape
            mask = fallback_mask(height, width, self.fallback)
        record = BoxRecord(
            index=index,
            class_id=box.class_id,
            cover=float(mask.mean()),
            fallback=Fallback.SMALL_MASK if small else Fallback.NOT_NEEDED,
            network_area=area,
        )
        return mask, record
