"""One stage of label making over all images of a split: what make_gt.py calls."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from weakpan.audit.cue_audit import CueAudit, cue_audit, refuse_missing_labels
from weakpan.basics.catalog import Catalog
from weakpan.basics.console import say_loading
from weakpan.basics.errors import ConfigError, DataError, RunError
from weakpan.config.data import OnError
from weakpan.config.make_gt import MakeGtConfig, Stage
from weakpan.config.objects import build
from weakpan.data.class_table import load_catalog
from weakpan.data.crops import CropGrid
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.image_tree import CityscapesSplit, read_id_list
from weakpan.labels.trail_store import AuditStore
from weakpan.parallel.sharing import Outcome, Task, shard_of, share
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.seeds.rules import HeatmapRule
from weakpan.storage.map_store import read_manifest, write_manifest
from weakpan.storage.records import JsonRecords
from weakpan.tasks.annotations import MakeBoxes, MakeTags, join_annotations
from weakpan.tasks.claim import FORMAT, Claim, settings_path, stage_settings
from weakpan.tasks.coco_parts import CocoParts
from weakpan.tasks.label_audit import LabelAudit
from weakpan.tasks.labels import MakeLabels
from weakpan.tasks.mask_records import mask_records
from weakpan.tasks.masks import MakeMasks
from weakpan.tasks.seeds_from_heatmaps import SeedsFromHeatmaps
from weakpan.tasks.weak_source import WeakSource


class StageTask(Task, Protocol):
    """What a stage does with one image, and what it needs for that."""

    def missing(self, image_id: str, /) -> Path | None:
        """A file that is needed and not there, by its presence alone."""
        ...


def make_gt(config: MakeGtConfig) -> list[tuple[str, str]]:
    """Run the configured stage.

    `OUT/STAGE.settings.json` is written with the first result and compared from then on, `OUT/STAGE.json` (of a shard:
    `OUT/STAGE.K_of_N.json`) last, when all images are done.

    Returns:
        Image id and message of the images that could not be done; empty unless they are to be skipped.

    Raises:
        ConfigError: values that do not go together.
        DataError: missing or damaged input.
        RunError: the folder holds results made with other settings, or cannot be written to.
    """
    catalog = load_catalog(config.data.classes)
    if not Path(config.data.root).is_dir():
        raise DataError(f"data.root={config.data.root}: no such folder; set data.root to the data set's root")
    weak = WeakSource(config.data, config.source, catalog)
    weak.check_files()
    ids = image_ids(config, weak, catalog)
    if config.stage is Stage.mask_net:
        _make_mask_net(config, weak, ids)
        return []
    claim = _claim(config, weak)
    task, audit = build_task(config, weak, catalog, ids, claim), cue_audit(config, weak, catalog)
    index, count = config.part
    part = shard_of(ids, index, count)
    print(
        f"make_gt: stage {config.stage.value}, {len(part)} images"
        + (f" (part {index} of {count} of {len(ids)})" if count > 1 else "")
        + f", into {config.out}",
        flush=True,
    )
    claim.refuse_others()
    if config.on_error is OnError.stop:
        _refuse_missing(task, part)
        if audit is not None:
            refuse_missing_labels(audit, part)
    _make_folder(config.out)
    with _writing_into(config.out):
        # It says that everything is done, which is to be seen.
        _manifest_path(config).unlink(missing_ok=True)
    workers, skip = config.workers or os.cpu_count() or 1, config.on_error is OnError.skip
    if config.stage is Stage.seeds and config.source.heatmaps is None:
        from weakpan.make_gt.seeds import SeedInputs, make_seeds

        assert isinstance(task, SeedInputs)
        outcome = make_seeds(task, part)
    else:
        outcome = share(task, part, workers, config.stage.value, skip)
    if audit is not None:
        failed = {image_id for image_id, _ in outcome.failures}
        made = [image_id for image_id in part if image_id not in failed]
        outcome.failures += share(audit, made, workers, f"audit of {config.stage.value}", skip).failures
    with _writing_into(config.out):
        finish(config, claim, outcome, len(part))
        if not outcome.failures:
            _join(config, weak, task, audit, ids)
        elif config.stage in (Stage.boxes, Stage.tags) or config.audit or config.coco:
            print(f"{config.stage.value}: files of the whole set wait until all images are done", flush=True)
    return outcome.failures


def _make_mask_net(config: MakeGtConfig, weak: WeakSource, ids: tuple[str, ...]) -> None:
    """Unlike the other stages this one makes one file of all images."""
    say_loading()
    from weakpan.stages.mask_net import make_mask_net

    claim = _claim(config, weak)
    claim.refuse_others()
    _make_folder(config.out)
    with _writing_into(config.out):
        make_mask_net(weak, ids, config.masks.network, Path(config.out), claim)


def _claim(config: MakeGtConfig, weak: WeakSource) -> Claim:
    crop = {"height": weak.grid.height, "width": weak.grid.width} if config.stage is Stage.tags else None
    return Claim(config.out, config.stage, stage_settings(config), crop)


def image_ids(config: MakeGtConfig, weak: WeakSource, catalog: Catalog) -> tuple[str, ...]:
    """The ids to work on: those of the list, else all that the stage finds."""
    if config.data.list is not None:
        return read_id_list(Path(config.data.list))
    return (
        photographs(config, catalog).ids if config.stage in (Stage.mask_net, Stage.masks, Stage.seeds) else weak.ids()
    )


def photographs(config: MakeGtConfig, catalog: Catalog) -> CityscapesSplit:
    """The photographs of the split."""
    data = config.data
    only = None if data.list is None else read_id_list(Path(data.list))
    return CityscapesSplit(Path(data.root), data.split, catalog, data.files, only)


def build_task(
    config: MakeGtConfig, weak: WeakSource, catalog: Catalog, ids: tuple[str, ...], claim: Claim
) -> StageTask:
    """What the stage does with one image."""
    out, split = Path(config.out), config.data.split
    results = ReleasedTree(out, split, catalog)
    match config.stage:
        case Stage.boxes:
            mat = out / config.source.mat.replace("{split}", split) if config.mat else None
            return MakeBoxes(weak, out / "boxes", mat, claim)
        case Stage.tags:
            return MakeTags(weak, out / "tags", claim)
        case Stage.mask_net:
            raise ConfigError("stage=mask_net makes one file of all images; it has no task for one of them")
        case Stage.masks:
            return MakeMasks(weak, config.masks.source(catalog), results, mask_records(out, split), claim)
        case Stage.seeds:
            return _seed_task(config, weak, results, ids, claim)
        case Stage.labels:
            root = Path(config.source.root or config.out)
            if not root.is_dir():
                raise DataError(f"source.root={root}: no such folder; it holds cam/, mcg_and_grabcut/ and predictions")
            cues = ReleasedTree(root, split, catalog)
            audit = LabelAudit(AuditStore(out / "audit"), weak.maps, frozenset(ids[: config.pictures]))
            return MakeLabels(
                weak,
                cues,
                results,
                config.labels,
                config.round,
                audit if config.audit else None,
                CocoParts(out / "panoptic", Path(config.data.files.image).name) if config.coco else None,
                claim,
            )


def _seed_task(
    config: MakeGtConfig, weak: WeakSource, results: ReleasedTree, ids: tuple[str, ...], claim: Claim
) -> StageTask:
    """Seeds of a source, or from heatmaps that one has kept."""
    folder = config.source.heatmaps
    if folder is not None:
        if not Path(folder).is_dir():
            raise DataError(f"source.heatmaps={folder}: no such folder; it holds ID.npz of each image")
        sources = JsonRecords(results.root / "cam_sources" / results.split, "weakpan-seed-sources", "seeds")
        rule = build(HeatmapRule, config.seeds["rule"], "seeds.rule")
        return SeedsFromHeatmaps(weak, HeatmapFolder(Path(folder), results.catalog), results, sources, rule, claim)
    # A network takes seconds to import.
    say_loading()
    from weakpan.make_gt.seeds import seed_inputs

    return seed_inputs(config, weak, photographs(config, results.catalog), ids, results, claim)


def _make_folder(out: str) -> None:
    """Find out before any work whether results can be written."""
    with _writing_into(out):
        Path(out).mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), out)


@contextmanager
def _writing_into(out: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"out={out}: cannot be written to ({error}); make room, or choose another folder") from error


def finish(config: MakeGtConfig, claim: Claim, outcome: Outcome, images: int) -> None:
    """Say what was done, and write the manifest if that is all.

    Raises:
        ConfigError: weights that results were made with are gone.
        RunError: files that results were made with have changed since the stage began.
    """
    counts = ", ".join(f"{value} {key}" for key, value in sorted(outcome.counts.items()) if key != "images")
    print(
        f"{config.stage.value}: {outcome.made} images made in {outcome.seconds} s, {outcome.kept} were there"
        + (f", {len(outcome.failures)} could not be done" if outcome.failures else "")
        + (f" ({counts})" if counts else ""),
        flush=True,
    )
    boxes, without = outcome.counts["boxes"], outcome.counts["without mask"]
    if config.stage is Stage.masks and boxes > 0 and without == boxes:
        print(
            f"warning: none of the {boxes} boxes has a mask; check masks.path, masks.template and the classes in the "
            "file",
            flush=True,
        )
    if not outcome.failures:
        claim.refuse_changed_files(config)
        content = {"format": FORMAT, "images": images, "settings": dict(claim.settings)}
        write_manifest(_manifest_path(config), content)


def _manifest_path(config: MakeGtConfig) -> Path:
    index, count = config.part
    name = config.stage.value if count == 1 else f"{config.stage.value}.{index}_of_{count}"
    return Path(config.out) / f"{name}.json"


def _refuse_missing(task: StageTask, ids: tuple[str, ...]) -> None:
    """Find what is missing before any work starts."""
    missing = [(image_id, path) for image_id in ids if (path := task.missing(image_id)) is not None]
    if missing:
        image_id, path = missing[0]
        raise DataError(
            f"image {image_id}: no such file {path} ({len(missing)} of {len(ids)} images lack a file); add it, take "
            "the image out of data.list, or leave such images out with on_error=skip"
        )


def _join(
    config: MakeGtConfig, weak: WeakSource, task: StageTask, audit: CueAudit | None, ids: tuple[str, ...]
) -> None:
    """Put together what is of the whole set, once all images are done; of several shards the last one finds them so."""
    out = Path(config.out)
    if audit is not None and (config.part[1] == 1 or all(map(audit.is_done, ids))):
        audit.join(ids)
    if isinstance(task, MakeLabels):
        if config.part[1] > 1 and not all(task.is_done(image_id) for image_id in ids):
            return
        if task.audit is not None:
            task.audit.join(ids)
        if task.coco is not None:
            task.coco.join(ids, weak.catalog)
    if not isinstance(task, MakeBoxes | MakeTags):
        return
    for what in ("boxes", "tags"):
        if not all((out / what / f"{image_id}.json").is_file() for image_id in ids):
            print(f"make_gt: weak_annotations.json follows when stage={what} is done for all images", flush=True)
            return
    path = out / "weak_annotations.json"
    # The grid that the tags were made for, whatever this stage was told.
    crop = read_manifest(settings_path(config.out, Stage.tags))["crop"]
    join_annotations(path, out / "boxes", out / "tags", ids, weak.catalog, CropGrid(crop["height"], crop["width"]))
    print(f"make_gt: {path} holds boxes and tags of {len(ids)} images", flush=True)
