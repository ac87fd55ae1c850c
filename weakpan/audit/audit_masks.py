"""Masks in boxes scored against real instances.

On disk:

OUT/audit/masks/ID.json           pixels of the masks in each box of an image; made once, as the maps are
OUT/audit/masks.csv               a row a box: its name, what became of it, its scores
OUT/audit/masks.json              figures of all images, see `MaskAudit.join`
OUT/audit/masks_worst_boxes.png   the boxes of lowest IoU
OUT/audit/masks_worst_images.png  the images whose boxes have the lowest mean IoU
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakpan.audit.audited_boxes import from_entry, name_of, to_entry, write_box_table
from weakpan.audit.scored_images import ScoredImages, check_map_size
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.evaluation.box_scores import ELLIPSE_RADIUS, score_boxes
from weakpan.evaluation.box_summary import SIZES, AuditedBox, summarise_boxes, worst_boxes, worst_images
from weakpan.evaluation.real_instances import MIN_BOX_IOU
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import write_png
from weakpan.storage.records import JsonRecords, checksum
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.mask_records import read_box_records
from weakpan.tasks.stores import Maps

log = logging.getLogger(__name__)

FORMAT = "weakpan-mask-audit"

WORST = 10
"""So many boxes and images are listed, and at most so many are shown."""


@dataclass(frozen=True)
class MaskAudit:
    """Scores the masks in the boxes of one image, and puts the scores of all together.

    Attributes:
        weak: boxes.
        real: labels to score against.
        maps: that the stage has written.
        records: what became of each box.
        folder: `OUT/audit`.
        pictures: number of boxes and images that are shown, up to `WORST`.
    """

    weak: AnnotationSource
    real: ScoredImages
    maps: Maps
    records: JsonRecords
    folder: Path
    pictures: int

    @property
    def catalog(self) -> Catalog:
        """Class table."""
        return self.weak.catalog

    @property
    def scores(self) -> JsonRecords:
        """The scores of each image."""
        return JsonRecords(self.folder / "masks", FORMAT, "masks")

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.real.missing_instances(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether the scores are there, whole, and of map, records and ground truth as they are."""
        return self.missing(image_id) is None and self.scores.says(image_id, self._scored(image_id))

    def _scored(self, image_id: str) -> dict[str, Any]:
        """What the scores of an image are of."""
        return {
            "map_crc32": checksum(self.maps.path(image_id)),
            "records_crc32": checksum(self.records.path(image_id)),
            "real_crc32": self.real.checksums(image_id),
        }

    def __call__(self, image_id: str) -> Counter[str]:
        """Score the map of an image and write the scores; counts boxes.

        Raises:
            DataError: ground truth, map or records are missing or damaged, or do not belong together.
        """
        path = self.missing(image_id)
        if path is not None:
            raise DataError(f"image {image_id}: its masks cannot be scored without {path}")
        truth, semantic = self.real.panoptic(image_id), self.maps.read(image_id)
        size = check_map_size(self.maps.path(image_id), semantic, truth.semantic)
        boxes = self.weak.boxes(image_id, size)[1]
        scores, without_box = score_boxes(semantic, boxes, truth, self.catalog)
        records = read_box_records(self.records, image_id, self.catalog)
        if [(r.index, r.class_id) for r in records] != [(s.index, s.box.class_id) for s in scores]:
            raise DataError(
                f"{self.records.path(image_id)}: not of the boxes that the image has now; delete it and run "
                "stage=masks again"
            )
        content = {
            **self._scored(image_id),
            "instances_without_box": without_box,
            "boxes": [to_entry(s, r, self.catalog) for s, r in zip(scores, records, strict=True)],
        }
        self.scores.write(image_id, content)
        return Counter(images=1, boxes=len(scores))

    def join(self, ids: Sequence[str]) -> None:
        """Write the tables and pictures of the whole set and print the table.

        masks.json holds `images`, their number; `ellipse_radius`, `min_box_iou` and `sizes` (the area that a band ends
        below), which the figures depend on; `instances_without_box`, the number of real instances that no box speaks
        of; the groups of `summarise_boxes`; `worst_boxes`, their names and IoUs, and `worst_images`, their ids and mean
        IoUs.

        Raises:
            DataError: the scores of an image are missing or damaged.
        """
        boxes, without_box = self._read(ids)
        summary = summarise_boxes(boxes, self.catalog.names)
        worst, images = worst_boxes(boxes, WORST), worst_images(boxes, WORST)
        content = {
            "format": FORMAT, "version": 1, "images": len(ids), "ellipse_radius": ELLIPSE_RADIUS,
            "min_box_iou": MIN_BOX_IOU, "sizes": dict(SIZES), "instances_without_box": without_box, **summary,
            "worst_boxes": [name_of(box) for box in worst],
            "worst_images": [{"image_id": image_id, "iou": iou} for image_id, iou in images],
        }  # fmt: skip
        write_box_table(self.folder / "masks.csv", boxes)
        self._draw(worst[: self.pictures], images[: self.pictures])
        write_text_atomically(self.folder / "masks.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
        # Only reports are set as tables.
        from weakpan.audit.cue_tables import mask_table

        listed = self.folder / "masks.json"
        log.info("audit: masks in the boxes of %d images, in per cent; %s holds more", len(ids), listed)
        log.info("%s", mask_table(summary))
        if without_box:
            log.info("audit: %d real instances have no box", without_box)

    def _read(self, ids: Sequence[str]) -> tuple[list[AuditedBox], int]:
        boxes, without_box = [], 0
        for image_id in ids:
            content: dict[str, Any] = dict(self.scores.read(image_id))
            try:
                without_box += int(content["instances_without_box"])
                boxes += [from_entry(image_id, entry, self.catalog) for entry in content["boxes"]]
            except (DataError, KeyError, TypeError, ValueError) as error:
                path, what = self.scores.path(image_id), f"{type(error).__name__}: {error}"
                raise DataError(f"{path}: damaged ({what}); delete it and run stage=masks again") from error
        return boxes, without_box

    def _draw(self, boxes: Sequence[AuditedBox], images: Sequence[tuple[str, float]]) -> None:
        if not boxes or not images:
            return
        # Only pictures need fonts and drawing.
        from weakpan.audit.worst_cues import draw_worst_boxes, draw_worst_masks

        write_png(self.folder / "masks_worst_boxes.png", draw_worst_boxes(boxes, self.weak, self.real, self.maps))
        write_png(self.folder / "masks_worst_images.png", draw_worst_masks(images, self.weak, self.real, self.maps))
