"""Seeds scored against ground truth.

On disk:

OUT/audit/seeds/ID.json           pixels of each class in an image; made once, as the maps are
OUT/audit/seeds.json              figures of all images, see `SeedAudit.join`
OUT/audit/seeds_worst_images.png  the images whose labels are least often right
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weakpan.audit.cue_audit import WORST, CueAudit
from weakpan.audit.scored_images import check_map_size
from weakpan.basics.errors import DataError
from weakpan.evaluation.cam_scores import count_cam, image_figures, summarise_cams, worst_maps
from weakpan.evaluation.overlaps import Ints
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.storage.images import write_png
from weakpan.storage.records import checksum

log = logging.getLogger(__name__)

_COUNTS = ("real", "labelled", "right")


@dataclass(frozen=True)
class SeedAudit(CueAudit):
    """Scores the label map of one image, and puts the scores of all together.

    The scores of an image are `labelled`, `precision` and `recall` of all classes, and an entry for each class that is
    in the map or in the ground truth: `real`, its real pixels; `labelled`, pixels labelled with it; `right`, pixels of
    both.

    Attributes:
        heatmaps: that the maps were made from; those that are there are shown.
    """

    stage = "seeds"
    format = "weakpan-seed-audit"

    heatmaps: HeatmapFolder

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.real.missing_classes(image_id)

    def _scored(self, image_id: str) -> dict[str, Any]:
        return {"map_crc32": checksum(self.maps.path(image_id)), "real_crc32": self.real.checksums(image_id)}

    def _score(self, image_id: str) -> dict[str, Any]:
        real, cam = self.real.classes(image_id), self.maps.read(image_id)
        check_map_size(self.maps.path(image_id), cam, real)
        counts = count_cam(cam, real, self.real.catalog)
        classes = {
            name: dict(zip(_COUNTS, row, strict=True))
            for name, row in zip(self.real.catalog.names, counts.tolist(), strict=True)
            if any(row)
        }
        return {**image_figures(counts), "per_class": classes}

    def join(self, ids: Sequence[str]) -> None:
        """Write figures and pictures of the whole set and print the table.

        seeds.json holds what `summarise_cams` returns, and `worst_images`: ids and precision, None without any label.
        """
        counts = {image_id: self._counts(image_id) for image_id in ids}
        summary, worst = summarise_cams(counts, self.real.catalog), worst_maps(counts, WORST)
        listed = [{"image_id": image_id, "precision": precision} for image_id, precision in worst]
        self._write_figures({**summary, "worst_images": listed})
        if shown := worst[: self.pictures]:
            # Only pictures need fonts and drawing.
            from weakpan.audit.worst_cues import draw_worst_seeds

            write_png(
                self.folder / "seeds_worst_images.png", draw_worst_seeds(shown, self.real, self.maps, self.heatmaps)
            )
        from weakpan.audit.cue_tables import cam_table

        log.info("audit: seeds of %d images, in per cent; %s holds more", len(ids), self.listed)
        log.info("%s", cam_table(summary))

    def _counts(self, image_id: str) -> Ints:
        content: dict[str, Any] = dict(self.scores.read(image_id))
        counts = np.zeros((self.real.catalog.num_classes, len(_COUNTS)), np.int64)
        try:
            for name, row in content["per_class"].items():
                counts[self.real.catalog.train_id_named(name)] = [row[key] for key in _COUNTS]
        except (AttributeError, DataError, KeyError, TypeError, ValueError) as error:
            raise self._damaged(image_id, error) from error
        return counts
