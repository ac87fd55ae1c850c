"""Stage: pseudo labels from files, and from the predictions of the segmenter of the round before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weakpan.config.make_gt import MakeGtConfig
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels import rule
from weakpan.labels.store import LabelStore
from weakpan.labels.trail_store import AuditStore
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import Results, run_stage, run_task
from weakpan.stages.settings import LABELS, MASKS, SEEDS, record_of
from weakpan.storage.stage_record import StageRecord
from weakpan.tasks.coco_parts import CocoParts
from weakpan.tasks.import_labels import ImportLabels, open_labels
from weakpan.tasks.label_audit import LabelAudit
from weakpan.tasks.labels import MakeLabels, WriteLabels
from weakpan.tasks.stores import ReleasedMaps, ReleasedStores

log = logging.getLogger(__name__)


def label_writer(experiment: Experiment, round_index: int, ids: Sequence[str]) -> WriteLabels:
    """Writes the labels of a round, with what is asked for beside them."""
    config, stores, source = experiment.config, experiment.stores, experiment.annotations
    audit = None
    # How labels from elsewhere came about is not known.
    if config.audit and not (config.labels_from is not None and round_index == 0):
        folder = stores.audit(LABELS, round_index)
        audit = LabelAudit(AuditStore(folder), source.find_image, frozenset(ids[: config.pictures]))
    coco = None
    if isinstance(config, MakeGtConfig) and config.coco:
        coco = CocoParts(stores.labels_export(round_index), Path(config.data.files.image).name)
    return WriteLabels(source, stores.labels(round_index), audit, coco)


def label_record(experiment: Experiment, round_index: int, inputs: dict[str, str] | None = None) -> StageRecord:
    """Settings, inputs and seal of the labels of a round."""
    return record_of(experiment, LABELS, round_index, inputs)


def run_labels(experiment: Experiment, ids: Sequence[str], round_index: int = 0) -> Outcome:
    """Make labels from seeds or, in the released layout, from predictions in files; every rank and worker takes part.

    Where `labels_from` is given, labels of round 0 are taken from there.
    """
    config, stores, writer = experiment.config, experiment.stores, label_writer(experiment, round_index, ids)
    if config.labels_from is not None and round_index == 0:
        record = label_record(experiment, 0)
        if record.is_sealed() and not experiment.shares.remake:
            # Where they came from may be gone by now.
            return run_stage(Results(record, writer.is_done, writer.files), ids, lambda _: Outcome(), experiment.shares)
        task: Any = ImportLabels(writer, open_labels(Path(config.labels_from), experiment.catalog))
    else:
        given, scores = stores, None
        if isinstance(stores, ReleasedStores) and isinstance(config, MakeGtConfig):
            root = Path(config.layout.inputs or config.run)
            given = ReleasedStores(ReleasedTree(root, stores.tree.split, experiment.catalog))
        predictions = given.seeds
        if round_index > 0 and isinstance(given, ReleasedStores):
            predictions, scores = ReleasedMaps(given.tree, "prediction"), given.tree
            left_out = ", ".join(experiment.rules.on_probabilities(round_index))
            if left_out:
                log.warning("predictions of the released layout are label maps: these rules are left out: %s", left_out)
        task = MakeLabels(writer, predictions, scores, given.masks, experiment.rules, round_index, given.seeds)
        record = label_record(experiment, round_index, label_inputs(experiment, round_index))
    remedy = "add it" if isinstance(stores, ReleasedStores) else "make it with stage=masks or stage=seeds"
    outcome = run_task(task, record, ids, experiment.shares, remedy=remedy)
    join_labels(experiment, writer, record, ids)
    return outcome


def join_labels(experiment: Experiment, writer: WriteLabels, record: StageRecord, ids: Sequence[str]) -> None:
    """Put together what is of the whole set, once all images are done; on rank 0.

    Sealed labels of a run are not made again: as COCO panoptic they are written even if that is asked for later, but
    how they came about is not known any more.
    """

    def join() -> None:
        if not record.is_sealed():
            return
        audit, coco, labels = writer.audit, writer.coco, writer.labels
        if audit is not None and isinstance(labels, LabelStore) and not all(map(audit.has, ids)):
            folder = record.manifest_path.parent
            log.warning("%s: made without audit=true; delete the folder to make them again with it", folder)
        elif audit is not None:
            audit.join(ids)
        if coco is not None:
            if isinstance(labels, LabelStore):
                for image_id in ids:
                    if not coco.has(image_id):
                        coco.write(image_id, labels.read(image_id), experiment.catalog)
            coco.join(ids, experiment.catalog)

    from_rank_zero(join)


def verify_sources(experiment: Experiment, ids: Sequence[str], round_index: int) -> None:
    """Hold sealed masks and seeds of some images against their checksums; raises DataError for a changed file."""
    if label_record(experiment, round_index).is_sealed():
        return
    for stage in _sources(experiment, round_index):
        record, maps = record_of(experiment, stage), getattr(experiment.stores, stage)
        if record.is_sealed():
            remedy = f"delete it and {record.manifest_path}, and stage={stage} makes it again"
            record.verify(ids, lambda image_id, maps=maps: (maps.path(image_id),), remedy)  # type: ignore[misc]


def label_inputs(experiment: Experiment, round_index: int) -> dict[str, str]:
    """Checksums of the masks and seeds of a run that labels are made from; released files are somebody else's."""
    if isinstance(experiment.stores, ReleasedStores):
        return {}
    found = {stage: record_of(experiment, stage).results_digest() for stage in _sources(experiment, round_index)}
    return {stage: digest for stage, digest in found.items() if digest is not None}


def _sources(experiment: Experiment, round_index: int) -> list[str]:
    """Stages whose maps the labels of a round are made from."""
    if not experiment.config.needs_seeds and round_index == 0:
        return []
    needs = experiment.rules.needs(round_index)
    of_seeds = experiment.config.needs_seeds and (round_index == 0 or rule.SEEDS in needs)
    return [*([MASKS] if rule.MASKS in needs else []), *([SEEDS] if of_seeds else [])]
