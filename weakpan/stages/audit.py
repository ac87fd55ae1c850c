"""Stage: scores of masks or seeds against ground truth, image by image, with tables and pictures of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakpan.audit.audit_masks import MaskAudit
from weakpan.audit.audit_seeds import SeedAudit
from weakpan.audit.cue_audit import CueAudit
from weakpan.audit.scored_images import ScoredImages
from weakpan.parallel.ranks import from_rank_zero, gather_from_all_ranks, share_of_rank, wait_for_all_ranks
from weakpan.parallel.sharing import shard_of, share
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import MASKS


def audit_of(experiment: Experiment, stage: str) -> CueAudit:
    """The audit of a stage, `masks` or `seeds`."""
    config, stores, data = experiment.config, experiment.stores, experiment.config.data
    real = ScoredImages(Path(data.root), data.train_split, experiment.catalog, data.files)
    folder = stores.audit(stage).parent
    if stage == MASKS:
        weak, records = experiment.annotations, stores.mask_records
        return MaskAudit(real, stores.masks, folder, config.pictures, weak, records)
    kept = stores.beside_seeds("heatmaps") if config.heatmaps_from is None else Path(config.heatmaps_from)
    return SeedAudit(real, stores.seeds, folder, config.pictures, HeatmapFolder(kept, experiment.catalog))


def run_audit(
    experiment: Experiment, stage: str, ids: Sequence[str], failed: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """Score what a stage, `masks` or `seeds`, has made of images, but for those that it `failed` to do.

    Returns:
        Image id and message of the images that could not be scored.
    """
    audit, shares = audit_of(experiment, stage), experiment.shares
    left_out = {image_id for image_id, _ in failed}
    part = [image_id for image_id in shard_of(ids, *shares.shard) if image_id not in left_out]
    found = share(audit, share_of_rank(part), shares.workers, f"audit of {stage}", shares.skip_failures)
    wait_for_all_ranks()
    failures = [failure for some in gather_from_all_ranks(found.failures) for failure in some]

    def join() -> None:
        if not failures and not failed and (shares.shard[1] == 1 or all(map(audit.is_done, ids))):
            audit.join(ids)

    from_rank_zero(join)
    return failures


def audit_where_possible(experiment: Experiment, stage: str, ids: Sequence[str]) -> None:
    """Where an audit is asked for, score what a stage has made on the images that have ground truth."""
    if not experiment.config.audit:
        return
    audit = audit_of(experiment, stage)
    scored = from_rank_zero(lambda: [image_id for image_id in ids if audit.missing(image_id) is None])
    if scored:
        run_audit(experiment, stage, scored)
