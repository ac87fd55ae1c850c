"""What `audit=true` adds to the stages `masks` and `seeds`: scores of what they made against real labels.

Real labels are read after the cues are written, from files, and nothing that is made depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from weakpan.audit.audit_masks import MaskAudit
from weakpan.audit.audit_seeds import SeedAudit
from weakpan.audit.real_labels import RealLabels
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.data.formats.released import ReleasedTree
from weakpan.parallel.sharing import Task
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.tasks.mask_records import mask_records
from weakpan.tasks.weak_source import WeakSource


class CueAudit(Task, Protocol):
    """Scores the cues of one image, and puts the scores of all together."""

    def missing(self, image_id: str, /) -> Path | None:
        """A file that is needed and not there, by its presence alone."""
        ...

    def join(self, ids: Sequence[str], /) -> None:
        """Write tables and pictures of the whole set, from what was written of each image, and print the table."""
        ...


def cue_audit(config: MakeGtConfig, weak: WeakSource, catalog: Catalog) -> CueAudit | None:
    """The audit that is asked for, of a stage that makes cues; None for none."""
    if not config.audit:
        return None
    out, split = Path(config.out), config.data.split
    tree, real = ReleasedTree(out, split, catalog), RealLabels(config.data, catalog)
    match config.stage:
        case Stage.masks:
            return MaskAudit(weak, real, tree, mask_records(out, split), out / "audit", config.pictures)
        case Stage.seeds:
            kept = tree.heatmaps_folder if config.source.heatmaps is None else Path(config.source.heatmaps)
            return SeedAudit(real, tree, HeatmapFolder(kept, catalog), out / "audit", config.pictures)
    return None


def refuse_missing_labels(audit: CueAudit, ids: Sequence[str]) -> None:
    """Find out before any work starts whether there is anything to score against.

    Raises:
        DataError: an image without real labels; names the file.
    """
    missing = [(image_id, path) for image_id in ids if (path := audit.missing(image_id)) is not None]
    if missing:
        image_id, path = missing[0]
        raise DataError(
            f"image {image_id}: audit=true scores against real labels, and there is no {path} ({len(missing)} of "
            f"{len(ids)} images lack theirs); add it, take the image out of data.list, leave such images out of the "
            "audit with on_error=skip, or leave audit=true out"
        )
