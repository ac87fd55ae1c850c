"""One stage of a run: what make_gt.py does in the order that train.py has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from weakpan.audit.cue_audit import refuse_missing_labels
from weakpan.basics.errors import ConfigError
from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.parallel.ranks import from_rank_zero
from weakpan.parallel.sharing import Outcome, shard_of
from weakpan.stages.annotations import run_annotations
from weakpan.stages.audit import audit_of, run_audit
from weakpan.stages.experiment import Experiment
from weakpan.stages.heatmap_seeds import run_heatmap_seeds
from weakpan.stages.labels import run_labels, verify_sources
from weakpan.stages.masks import run_masks
from weakpan.stages.settings import refuse_other_inputs

log = logging.getLogger(__name__)

Failures = list[tuple[str, str]]
"""Image id and message of images that could not be done."""


def needs_networks(config: MakeGtConfig) -> bool:
    """Whether the stage trains or asks a network; the others are made by workers that do without torch."""
    match config.stage:
        case Stage.annotations | Stage.masks:
            return False
        case Stage.seeds:
            return config.heatmaps_from is None
        case Stage.labels:
            return config.round > 0 and not config.released
    return True


def make_stage(experiment: Experiment) -> Failures:
    """Make the configured stage; every rank calls this.

    In a run folder the annotations are made first, if they are not there.

    Returns:
        The images that could not be done; empty unless they are to be skipped.
    """
    config = experiment.config
    assert isinstance(config, MakeGtConfig)
    stage, ids = config.stage, image_ids(experiment)
    log.info("make_gt: stage %s, %d images, into %s", stage.value, len(ids), config.run)
    audited = config.audit and stage in (Stage.masks, Stage.seeds)
    if audited and not config.skips:
        refuse_missing_labels(audit_of(experiment, stage.value), ids)
    if not config.released:
        from_rank_zero(lambda: refuse_other_inputs(experiment))
    if stage is not Stage.annotations and not config.released:
        lacking = run_annotations(experiment, experiment.train.ids).failures
        if lacking:
            log.info("%s waits until boxes and tags of all images are there", stage.value)
            return lacking
    made = _worker_stages(config).get(stage) or _network_stages()[stage]
    failures = made(experiment, ids).failures
    if audited:
        failures += run_audit(experiment, stage.value, ids, failures)
    if failures and (stage is Stage.annotations or config.audit or config.coco):
        log.info("%s: files of the whole set wait until all images are done", stage.value)
    return failures


Make = Callable[[Experiment, Sequence[str]], Outcome]


def _worker_stages(config: MakeGtConfig) -> dict[Stage, Make]:
    stages: dict[Stage, Make] = {Stage.annotations: run_annotations, Stage.masks: run_masks}
    if config.released or config.round == 0:
        stages[Stage.labels] = _labels
    if config.heatmaps_from is not None:
        stages[Stage.seeds] = run_heatmap_seeds
    return stages


def _labels(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    config = experiment.config
    assert isinstance(config, MakeGtConfig)
    if not config.released:
        verify_sources(experiment, shard_of(ids, *experiment.shares.shard), config.round)
    return run_labels(experiment, ids, config.round)


def _network_stages() -> dict[Stage, Make]:
    # Seconds of imports that the other stages are spared.
    from weakpan.make_gt.network_stages import STAGES

    return STAGES


def image_ids(experiment: Experiment) -> tuple[str, ...]:
    """Ids of the images that the stage works on.

    In the released layout those of the list, else all that there are images of or, where the stage needs none, boxes.
    """
    config = experiment.config
    assert isinstance(config, MakeGtConfig)
    if config.released:
        if experiment.train.only_ids is not None:
            # Whatever lacks a file is left out one by one, where that is asked for.
            return tuple(experiment.train.only_ids)
        with_images = config.stage in (Stage.mask_net, Stage.masks, Stage.seeds)
        return experiment.train.ids if with_images else experiment.annotations.ids()
    if not experiment.config.weakly and config.stage not in (Stage.segmenter, Stage.scores):
        raise ConfigError("full supervision has no such stage", key="stage", found=config.stage.value)
    return experiment.weak_ids if config.stage in (Stage.masks, Stage.labels) else experiment.train.ids
