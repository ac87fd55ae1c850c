"""The audit of masks and seeds: scores of what the stages made against ground truth.

Ground truth is read after the maps are written, from files, and nothing that is made depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from weakpan.audit.audit_masks import MaskAudit
from weakpan.audit.audit_seeds import SeedAudit
from weakpan.audit.scored_images import ScoredImages
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.config.train import RunConfig
from weakpan.parallel.sharing import Task
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.stores import Stores


class CueAudit(Task, Protocol):
    """Scores the maps of one image, and puts the scores of all together."""

    def missing(self, image_id: str, /) -> Path | None:
        """A file that is needed and not there, by its presence alone."""
        ...

    def join(self, ids: Sequence[str], /) -> None:
        """Write tables and pictures of the whole set, from what was written of each image, and print the table."""
        ...


def mask_audit(config: RunConfig, annotations: AnnotationSource, stores: Stores) -> CueAudit:
    """The audit of masks in boxes."""
    real, folder = ScoredImages(config.data, annotations.catalog), stores.audit("masks").parent
    return MaskAudit(annotations, real, stores.masks, stores.mask_records, folder, config.pictures)


def seed_audit(config: RunConfig, catalog: Catalog, stores: Stores) -> CueAudit:
    """The audit of seeds."""
    kept = stores.beside_seeds("heatmaps") if config.heatmaps_from is None else Path(config.heatmaps_from)
    real, folder = ScoredImages(config.data, catalog), stores.audit("seeds").parent
    return SeedAudit(real, stores.seeds, HeatmapFolder(kept, catalog), folder, config.pictures)


def refuse_missing_labels(audit: CueAudit, ids: Sequence[str]) -> None:
    """Find out before any work starts whether there is anything to score against.

    Raises:
        DataError: an image without ground truth; names the file.
    """
    missing = [(image_id, path) for image_id in ids if (path := audit.missing(image_id)) is not None]
    if missing:
        image_id, path = missing[0]
        raise DataError(
            f"image {image_id}: audit=true scores against ground truth, and there is none ({len(missing)} of "
            f"{len(ids)} images lack theirs)",
            path=path,
            remedy="add it, take the image out of data.train_list, leave such images out of the audit with "
            "on_error=skip, or leave audit=true out",
        )
