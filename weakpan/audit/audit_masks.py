"""Masks in boxes scored against real instances.

On disk:

OUT/audit/masks/ID.json           pixels of the masks in each box of an image; made once, as the maps are
OUT/audit/masks.csv               a row a box: its name, what became of it, its scores
OUT/audit/masks.json              figures of all images, see `MaskAudit.join`
OUT/audit/masks_worst_boxes.png   the boxes of lowest IoU
OUT/audit/masks_worst_images.png  the images whose boxes have the lowest mean IoU
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakpan.audit.audited_boxes import from_entry, name_of, to_entry, write_box_table
from weakpan.audit.cue_audit import WORST, CueAudit
from weakpan.audit.scored_images import check_map_size
from weakpan.basics.errors import DataError
from weakpan.evaluation.box_scores import ELLIPSE_RADIUS, score_boxes
from weakpan.evaluation.box_summary import SIZES, AuditedBox, summarise_boxes, worst_boxes, worst_images
from weakpan.evaluation.real_instances import MIN_BOX_IOU
from weakpan.storage.images import write_png
from weakpan.storage.records import JsonRecords, checksum
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.mask_records import read_box_records

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MaskAudit(CueAudit):
    """Scores the masks in the boxes of one image, and puts the scores of all together.

    Attributes:
        weak: boxes.
        records: what became of each box.
    """

    stage = "masks"
    format = "weakpan-mask-audit"

    weak: AnnotationSource
    records: JsonRecords

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.real.missing_instances(image_id)

    def _scored(self, image_id: str) -> dict[str, Any]:
        return {
            "map_crc32": checksum(self.maps.path(image_id)),
            "records_crc32": checksum(self.records.path(image_id)),
            "real_crc32": self.real.checksums(image_id),
        }

    def _score(self, image_id: str) -> dict[str, Any]:
        truth, semantic = self.real.panoptic(image_id), self.maps.read(image_id)
        size = check_map_size(self.maps.path(image_id), semantic, truth.semantic)
        boxes = self.weak.boxes(image_id, size)[1]
        scores, without_box = score_boxes(semantic, boxes, truth, self.real.catalog)
        records = read_box_records(self.records, image_id, self.real.catalog)
        if [(r.index, r.class_id) for r in records] != [(s.index, s.box.class_id) for s in scores]:
            raise DataError(
                f"{self.records.path(image_id)}: not of the boxes that the image has now; delete it and run "
                "stage=masks again"
            )
        entries = [to_entry(s, r, self.real.catalog) for s, r in zip(scores, records, strict=True)]
        return {"instances_without_box": without_box, "boxes": entries}

    def join(self, ids: Sequence[str]) -> None:
        """Write the tables and pictures of the whole set and print the table.

        masks.json holds `images`, their number; `ellipse_radius`, `min_box_iou` and `sizes` (the area that a band ends
        below), which the figures depend on; `instances_without_box`, the number of real instances that no box speaks
        of; the groups of `summarise_boxes`; `worst_boxes`, their names and IoUs, and `worst_images`, their ids and mean
        IoUs.
        """
        boxes, without_box = self._read(ids)
        summary = summarise_boxes(boxes, self.real.catalog.names)
        worst, images = worst_boxes(boxes, WORST), worst_images(boxes, WORST)
        content = {
            "images": len(ids), "ellipse_radius": ELLIPSE_RADIUS,
            "min_box_iou": MIN_BOX_IOU, "sizes": dict(SIZES), "instances_without_box": without_box, **summary,
            "worst_boxes": [name_of(box) for box in worst],
            "worst_images": [{"image_id": image_id, "iou": iou} for image_id, iou in images],
        }  # fmt: skip
        write_box_table(self.folder / "masks.csv", boxes)
        self._draw(worst[: self.pictures], images[: self.pictures])
        self._write_figures(content)
        # Only reports are set as tables.
        from weakpan.audit.cue_tables import mask_table

        log.info("audit: masks in the boxes of %d images, in per cent; %s holds more", len(ids), self.listed)
        log.info("%s", mask_table(summary))
        if without_box:
            log.info("audit: %d real instances have no box", without_box)

    def _read(self, ids: Sequence[str]) -> tuple[list[AuditedBox], int]:
        boxes, without_box = [], 0
        for image_id in ids:
            content: dict[str, Any] = dict(self.scores.read(image_id))
            try:
                without_box += int(content["instances_without_box"])
                boxes += [from_entry(image_id, entry, self.real.catalog) for entry in content["boxes"]]
            except (DataError, KeyError, TypeError, ValueError) as error:
                raise self._damaged(image_id, error) from error
        return boxes, without_box

    def _draw(self, boxes: Sequence[AuditedBox], images: Sequence[tuple[str, float]]) -> None:
        if not boxes or not images:
            return
        # Only pictures need fonts and drawing.
        from weakpan.audit.worst_cues import draw_worst_boxes, draw_worst_masks

        write_png(self.folder / "masks_worst_boxes.png", draw_worst_boxes(boxes, self.weak, self.real, self.maps))
        write_png(self.folder / "masks_worst_images.png", draw_worst_masks(images, self.weak, self.real, self.maps))
