"""Seeds scored against ground truth.

On disk:

OUT/audit/seeds/ID.json           pixels of each class in an image; made once, as the maps are
OUT/audit/seeds.json              figures of all images, see `SeedAudit.join`
OUT/audit/seeds_worst_images.png  the images whose labels are least often right
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weakpan.audit.scored_images import ScoredImages, check_map_size
from weakpan.basics.errors import DataError
from weakpan.evaluation.cam_scores import count_cam, image_figures, summarise_cams, worst_maps
from weakpan.evaluation.overlaps import Ints
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import write_png
from weakpan.storage.records import JsonRecords, checksum
from weakpan.tasks.stores import Maps

log = logging.getLogger(__name__)

FORMAT = "weakpan-seed-audit"

WORST = 10
"""So many images are listed, and at most so many are shown."""

_COUNTS = ("real", "labelled", "right")


@dataclass(frozen=True)
class SeedAudit:
    """Scores the label map of one image, and puts the scores of all together.

    Attributes:
        real: labels to score against.
        maps: that the stage has written.
        heatmaps: that the maps were made from; those that are there are shown.
        folder: `OUT/audit`.
        pictures: number of images that are shown, up to `WORST`.
    """

    real: ScoredImages
    maps: Maps
    heatmaps: HeatmapFolder
    folder: Path
    pictures: int

    @property
    def scores(self) -> JsonRecords:
        """The scores of each image."""
        return JsonRecords(self.folder / "seeds", FORMAT, "seeds")

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return self.real.missing_classes(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether the scores are there, whole, and of map and ground truth as they are."""
        return self.missing(image_id) is None and self.scores.says(image_id, self._scored(image_id))

    def _scored(self, image_id: str) -> dict[str, Any]:
        """What the scores of an image are of."""
        return {"map_crc32": checksum(self.maps.path(image_id)), "real_crc32": self.real.checksums(image_id)}

    def __call__(self, image_id: str) -> Counter[str]:
        """Score the map of an image and write the scores.

        Each class that is in the map or in the ground truth has an entry: `real`, its real pixels; `labelled`, pixels
        labelled with it; `right`, pixels of both. `labelled`, `precision` and `recall` are of all classes.

        Raises:
            DataError: ground truth or map are missing or damaged, or of different sizes.
        """
        path = self.missing(image_id)
        if path is not None:
            raise DataError(f"image {image_id}: its seeds cannot be scored without {path}")
        real, cam = self.real.classes(image_id), self.maps.read(image_id)
        check_map_size(self.maps.path(image_id), cam, real)
        counts = count_cam(cam, real, self.real.catalog)
        classes = {
            name: dict(zip(_COUNTS, row, strict=True))
            for name, row in zip(self.real.catalog.names, counts.tolist(), strict=True)
            if any(row)
        }
        self.scores.write(image_id, {**self._scored(image_id), **image_figures(counts), "per_class": classes})
        return Counter(images=1)

    def join(self, ids: Sequence[str]) -> None:
        """Write figures and pictures of the whole set and print the table.

        seeds.json holds what `summarise_cams` returns, and `worst_images`: ids and precision, None without any label.

        Raises:
            DataError: the scores of an image are missing or damaged.
        """
        counts = {image_id: self._counts(image_id) for image_id in ids}
        summary, worst = summarise_cams(counts, self.real.catalog), worst_maps(counts, WORST)
        content = {
            "format": FORMAT,
            "version": 1,
            **summary,
            "worst_images": [{"image_id": image_id, "precision": precision} for image_id, precision in worst],
        }
        write_text_atomically(self.folder / "seeds.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
        if shown := worst[: self.pictures]:
            # Only pictures need fonts and drawing.
            from weakpan.audit.worst_cues import draw_worst_seeds

            write_png(
                self.folder / "seeds_worst_images.png", draw_worst_seeds(shown, self.real, self.maps, self.heatmaps)
            )
        from weakpan.audit.cue_tables import cam_table

        log.info("audit: seeds of %d images, in per cent; %s holds more", len(ids), self.folder / "seeds.json")
        log.info("%s", cam_table(summary))

    def _counts(self, image_id: str) -> Ints:
        content: dict[str, Any] = dict(self.scores.read(image_id))
        counts = np.zeros((self.real.catalog.num_classes, len(_COUNTS)), np.int64)
        try:
            for name, row in content["per_class"].items():
                counts[self.real.catalog.train_id_named(name)] = [row[key] for key in _COUNTS]
        except (AttributeError, DataError, KeyError, TypeError, ValueError) as error:
            path, what = self.scores.path(image_id), f"{type(error).__name__}: {error}"
            raise DataError(f"{path}: damaged ({what}); delete it and run stage=seeds again") from error
        return counts
