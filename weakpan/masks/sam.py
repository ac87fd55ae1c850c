"""Masks in boxes from a model of the SAM family, which is prompted with the boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weakpan.basics.arrays import BoolMask, FloatMap, RGBImage
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.masks.box_masks import BoxMaskResult, BoxRecord, Fallback, MaskSettings, check_box, fallback_mask
from weakpan.masks.network import network_voice
from weakpan.masks.painting import Overlap, paint_masks
from weakpan.masks.source import check_size


@dataclass(frozen=True)
class SamMasks:
    """Masks that a model of the SAM family finds for the boxes, cut to them.

    Only the path travels to worker processes. Each reads the model once, and works on one thread of the processor.

    Attributes:
        folder: of the model.
        settings: the dials; `min_cover`, `fallback`, `fallback_radius` and `overlap` are used.
        content: checksum of its files, so that no process makes masks with others; None for any.
    """

    folder: Path
    settings: MaskSettings = field(default_factory=MaskSettings)
    content: str | None = None

    def masks(self, annotation: ImageAnnotation, image: Callable[[], RGBImage]) -> BoxMaskResult:
        """Masks in the boxes of one image.

        Raises:
            ConfigError: the library that reads the model is not installed.
            DataError: the photograph has another size than the annotation says, a box lies outside it, or the folder
                of the model lacks a part or is damaged.
            RunError: the model has another checksum than `content`.
        """
        pixels = image()
        check_size(annotation, pixels)
        for index, box in enumerate(annotation.boxes):
            check_box(index, box, annotation.height, annotation.width)
        said = network_voice(self.folder, True, self.content).probabilities(pixels, annotation.boxes)
        masks: dict[int, BoolMask] = {}
        records = []
        for index in sorted(said):
            masks[index], record = _mask_in_box(index, annotation.boxes[index], said[index], self.settings)
            records.append(record)
        # It has seen what stands in front of an object, so that a fronter box takes no more than its own mask.
        semantic = paint_masks(
            pixels.shape[:2], annotation.boxes, masks, Overlap(self.settings.overlap), doubt_hides=False
        )
        return BoxMaskResult(semantic, tuple(records))


def _mask_in_box(index: int, box: Box, probability: FloatMap, settings: MaskSettings) -> tuple[BoolMask, BoxRecord]:
    mask: BoolMask = probability >= 0.5
    area = int(mask.sum())
    small = area == 0 or area < settings.min_cover * mask.size
    if small:
        height, width = mask.shape
        mask = fallback_mask(height, width, settings)
    record = BoxRecord(
        index=index,
        class_id=box.class_id,
        grabcut_area=0,
        proposal_area=0,
        agreement=0.0,
        cover=float(mask.mean()),
        fallback=Fallback.SMALL_MASK if small else Fallback.NOT_NEEDED,
        network_area=area,
    )
    return mask, record
