"""What every stage needs: configuration, where results lie, images and annotations, all checked; without torch."""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, WeakpanError, errors_below
from weakpan.config.make_gt import MakeGtConfig
from weakpan.config.train import RunConfig, Supervision
from weakpan.data.annotation_file import check_annotations
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree, read_id_list
from weakpan.labels.pipeline import LabelRules
from weakpan.labels.rule import MASKS
from weakpan.labels.store import LabelStore
from weakpan.masks.source import MaskSource, PinnedMasks
from weakpan.seeds.source import SeedSource
from weakpan.stages.run_stage import Shares
from weakpan.storage.class_table import load_catalog
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import read_settings
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.import_labels import open_labels
from weakpan.tasks.stores import ReleasedStores, RunStores, Stores
from weakpan.toy_city.city import ensure_toy_city


@dataclass(frozen=True)
class Experiment:
    """A run that is ready to start.

    Attributes:
        config: checked configuration.
        stores: where results lie.
        catalog: class table.
        train: images of the training split.
        val: images and ground truth that scores are made on; None for none.
        full_ids: training images whose ground truth is used.
        masks: source of masks in boxes.
        seeds: source of seeds.
        rules: of label making.
        shares: how the work on single images is shared.
    """

    config: RunConfig
    stores: Stores
    catalog: Catalog
    train: ImageTree
    val: ImageTree | None
    full_ids: frozenset[str]
    masks: MaskSource
    seeds: SeedSource
    rules: LabelRules
    shares: Shares

    @property
    def layout(self) -> RunLayout:
        """Paths of the run folder."""
        assert isinstance(self.stores, RunStores), "the stage needs a run folder"
        return self.stores.layout

    @property
    def annotations(self) -> AnnotationSource:
        """Boxes and tags: of the run folder's own file once it is there, else of what the configuration names."""
        data, given = self.config.data, self.config.data.weak_annotations
        own = self.layout.weak_annotations if isinstance(self.stores, RunStores) else None
        file = own if own is not None and own.is_file() else None if given is None else Path(given)
        return AnnotationSource(data, self.catalog, file)

    @cached_property
    def weak(self) -> WeakAnnotations:
        """Boxes and tags of all images of a run, once the stage `annotations` is done."""
        if not self.config.weakly:
            raise AssertionError("full supervision has no weak annotations; its stages must not ask for them")
        return self.annotations.whole

    @cached_property
    def ground_truth(self) -> GroundTruth:
        """Ground truth of the training split; read for `full_ids` and for scores only."""
        return GroundTruth.of(self.train)

    @property
    def weak_ids(self) -> tuple[str, ...]:
        """Training images without ground truth, in the order of the split."""
        return tuple(i for i in self.train.ids if i not in self.full_ids)

    def labels(self, round_index: int) -> LabelStore:
        """Pseudo labels of a round of a run."""
        return LabelStore(self.layout.round(round_index).labels)

    def seed_map(self, image_id: str) -> SemanticMap:
        """(H, W) uint8 train ids, 255 unlabelled: the seeds of a run, or the given labels that it began with."""
        return self.stores.seeds.read(image_id) if self.config.needs_seeds else self.labels(0).read(image_id).semantic

    def needed_before_rounds(self, last_round: int) -> dict[str, bool]:
        """Whether a run that ends with a round needs each of the stages that its labels are made from."""
        return {
            "masks": self.needs_masks_up_to(last_round),
            "classifier": self.config.needs_classifier,
            "seeds": self.config.needs_seeds,
            "labels": self.config.weakly,
        }

    @property
    def classifier_weights(self) -> Path:
        """Checkpoint of the crop classifier, wherever it was trained."""
        given = self.config.classifier_from
        return self.layout.classifier_weights if given is None else Path(given)

    def needs_masks_up_to(self, round_index: int) -> bool:
        """Whether masks in boxes are read by a stage up to the labels of a round."""
        rules = range(0 if self.config.needs_seeds else 1, round_index + 1)
        of_labels = any(MASKS in self.rules.needs(index) for index in rules)
        return self.config.weakly and (of_labels or (self.config.needs_seeds and self.seeds.needs_masks))


def prepare(config: RunConfig, run_folder: Path) -> Experiment:
    """Find the data and hold everything against each other.

    Raises:
        ConfigError: an object of the configuration that cannot be built.
        DataError: anything that is missing, damaged or contradictory; nothing has been trained or written by then
            except the generated data set.
    """
    data = config.data
    catalog, root = load_catalog(data.classes), Path(data.root)
    if data.toy is not None:
        ensure_toy_city(root, data.toy)
    if not root.is_dir():
        raise DataError("no such folder", key="data.root", found=data.root, remedy="give the folder of the data set")
    train = ImageTree(root, data.train_split, catalog, data.files, _ids(data.train_list))
    rules = config.label_rules
    stores: Stores = RunStores(RunLayout(run_folder))
    val, full_ids = None, frozenset[str]()
    if config.released:
        stores = ReleasedStores(ReleasedTree(run_folder, data.train_split, catalog), rules.instances)
    else:
        if data.val_split is not None:
            val = ImageTree(root, data.val_split, catalog, data.files, _ids(data.val_list))
        full_ids = _full_ids(config, train)
    masks = _masks(config.mask_source, stores)
    experiment = Experiment(
        config, stores, catalog, train, val, full_ids, masks, config.seed_source, rules, _shares(config)
    )
    experiment.annotations.check_files()
    if not config.released:
        _check_images(experiment)
    if config.labels_from is not None and not stores.record("labels", {}).is_sealed():
        _check_given_labels(experiment, Path(config.labels_from))
    if not stores.record("seeds", {}).is_sealed():
        _check_given_sources(config)
    return experiment


def _masks(source: MaskSource, stores: Stores) -> MaskSource:
    """The source of masks, whose files stay as they are now; sealed masks of a run need them no more."""
    record = stores.record("masks", {})
    try:
        with errors_below("masks"):
            source.check_files()
            return source.pinned()
    except WeakpanError:
        if not (isinstance(stores, RunStores) and record.is_sealed() and record.settings_path.is_file()):
            raise
    named = (
        (re.fullmatch(r"masks\.(.+) content", key), value) for key, value in read_settings(record.settings_path).items()
    )
    return PinnedMasks(source, {found[1]: value for found, value in named if found is not None})


def _shares(config: RunConfig) -> Shares:
    if isinstance(config, MakeGtConfig):
        return Shares(config.processes, config.part, config.skips, remake=config.released)
    return Shares(config.processes)


def _check_images(experiment: Experiment) -> None:
    """Hold images, annotations and ground truth against each other."""
    train, val = experiment.train, experiment.val
    if val is not None:
        _require_truth(val, val.ids, "data.val_split=null trains without scores")
    _require_truth(train, sorted(experiment.full_ids), "full supervision needs them")
    for split in (train, val) if val else (train,):
        for image_id in split.ids:
            split.image_size(image_id)
    if experiment.config.weakly and experiment.annotations.file is not None:
        check_annotations(experiment.annotations.whole, train)
    if not experiment.layout.round(0).checkpoint.is_file():
        _check_truth(experiment)


def _check_truth(experiment: Experiment) -> None:
    """Read all ground truth that the run will use: what is damaged must not be found after hours of training."""
    used = [(experiment.ground_truth, image_id) for image_id in sorted(experiment.full_ids)]
    if experiment.val is not None:
        of_val = GroundTruth.of(experiment.val)
        used += [(of_val, image_id) for image_id in experiment.val.ids]
    with ThreadPoolExecutor() as pool:
        # Only errors matter here; maps of a whole split must not pile up in memory.
        deque(pool.map(lambda used: used[0].panoptic(used[1]), used), maxlen=0)


def _check_given_labels(experiment: Experiment, path: Path) -> None:
    given = open_labels(path, experiment.catalog)
    absent = [image_id for image_id in experiment.weak_ids if not given.path(image_id).is_file()]
    if absent and not experiment.shares.skip_failures:
        raise DataError(
            f"no labels of image {absent[0]} ({len(absent)} of {len(experiment.weak_ids)} images lack theirs)",
            path=given.path(absent[0]),
            remedy="add them, or take such images out of data.train_list",
        )


def _check_given_sources(config: RunConfig) -> None:
    """Refuse a classifier or heatmaps of another run that are not there, before the hours that come before them."""
    for key, is_there, what, remedy in (
        ("classifier_from", Path.is_file, "no such checkpoint", "give RUN/classifier/last.ckpt of a run"),
        ("heatmaps_from", Path.is_dir, "no such folder", "give RUN/seeds/heatmaps, which holds ID.npz of each image"),
    ):
        given = getattr(config, key)
        if given is not None and not is_there(Path(given)):
            raise DataError(what, key=key, found=given, remedy=remedy)


def _ids(path: str | None) -> tuple[str, ...] | None:
    return None if path is None else read_id_list(Path(path))


def _full_ids(config: RunConfig, train: ImageTree) -> frozenset[str]:
    if config.supervision is Supervision.full:
        return frozenset(train.ids)
    if config.full_list is None:
        return frozenset()
    listed = read_id_list(Path(config.full_list))
    unknown = sorted(set(listed) - set(train.ids))
    if unknown:
        raise DataError(
            f"{unknown[0]} is not in split {train.split} of {train.root}", key="full_list", found=config.full_list
        )
    return frozenset(listed)


def _require_truth(split: ImageTree, ids: tuple[str, ...] | list[str], remedy: str) -> None:
    truth = GroundTruth.of(split)
    for image_id in ids:
        if not truth.has(image_id):
            raise DataError("no ground truth beside it", path=split.image_path(image_id), remedy=remedy)
