"""What every stage of a run needs: configuration, folders, images and weak annotations, all checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, WeakpanError, errors_below
from weakpan.config.train import Supervision, TrainConfig
from weakpan.data.annotation_file import read_weak_annotations
from weakpan.data.annotations import BoxKind, WeakAnnotations
from weakpan.data.class_table import load_catalog
from weakpan.data.crops import CropGrid
from weakpan.data.derive import check_annotations, derive_annotations
from weakpan.data.image_tree import CityscapesSplit, read_id_list
from weakpan.labels.store import LabelStore
from weakpan.seeds.source import SeedSource
from weakpan.stages.build import build_classifier, build_segmenter, check_module_objects, shares_encoder
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import MapStore, read_settings
from weakpan.toy_city.city import ensure_toy_city


@dataclass(frozen=True)
class Experiment:
    """A run that is ready to start.

    Attributes:
        config: checked configuration.
        layout: of the run folder.
        catalog: class table.
        train: photographs of the training split. Its real labels are read for `full_ids` and for scores only.
        val: photographs and real labels that scores are made on; None for none.
        annotations: weak annotations of the training split; None for full supervision, which does not need them.
        full_ids: training images whose real labels are used.
        mask_contents: checksums of the weights, or of the file of masks, that masks in boxes are made with, by setting.
    """

    config: TrainConfig
    layout: RunLayout
    catalog: Catalog
    train: CityscapesSplit
    val: CityscapesSplit | None
    annotations: WeakAnnotations | None
    full_ids: frozenset[str]
    mask_contents: Mapping[str, str] = field(default_factory=dict)

    @property
    def weak(self) -> WeakAnnotations:
        """Weak annotations, where the kind of supervision has any."""
        if self.annotations is None:
            raise AssertionError("full supervision has no weak annotations; its stages must not ask for them")
        return self.annotations

    @property
    def weak_ids(self) -> tuple[str, ...]:
        """Training images without real labels, in the order of the split."""
        return tuple(i for i in self.train.ids if i not in self.full_ids)

    @property
    def masks(self) -> MapStore:
        """Masks in boxes."""
        return MapStore(self.layout.masks)

    @property
    def seeds(self) -> MapStore:
        """Seeds: label maps that the labels of round 0 are made from."""
        return MapStore(self.layout.seeds)

    @property
    def seed_source(self) -> SeedSource:
        """Maker of the seeds."""
        return build(SeedSource, self.config.seeds, "seeds")

    @property
    def needs_classifier(self) -> bool:
        """Whether the seeds are made with the crop classifier, or the first round begins with its encoder."""
        weak = self.config.supervision is not Supervision.full
        return weak and (self.seed_source.needs_classifier or self.starts_from_classifier)

    def labels(self, round_index: int) -> LabelStore:
        """Pseudo labels of a round."""
        return LabelStore(self.layout.round(round_index).labels)

    @property
    def starts_from_classifier(self) -> bool:
        """Whether the first round begins with the encoder of the crop classifier."""
        config = self.config
        wanted = config.rounds.from_classifier and config.supervision is not Supervision.full
        return wanted and config.segmenter["network"].get("init") is None and shares_encoder(config)

    @property
    def supervision_used(self) -> list[str]:
        """What the model of this run has been told about its training images, in words, for the report."""
        config = self.config
        weights = "the crop classifier's" if self.starts_from_classifier else _init(config.segmenter)
        init = [f"initial weights of the segmenter's encoder: {weights}"]
        if config.supervision is Supervision.full:
            return [f"pixel masks of all {len(self.train.ids)} training images", *init]
        weak = self.weak
        kinds = [box.kind for i in self.weak_ids for box in weak.images[i].boxes]
        tiles = sum(len(weak.images[i].tags) for i in self.train.ids)
        used = [
            f"{kinds.count(BoxKind.INSTANCE)} boxes and {kinds.count(BoxKind.GROUP)} group boxes of things in "
            f"{len(self.weak_ids)} training images",
            f"tags of {tiles} crops of {weak.grid.height} x {weak.grid.width} pixels of {len(self.train.ids)} images",
            config.mask_source.supervision,
            self.seed_source.supervision,
        ]
        if self.full_ids:
            used.append(f"pixel masks of {len(self.full_ids)} further training images")
        if self.needs_classifier:
            init.append(f"initial weights of the classifier: {_init(config.classifier)}")
        return [*used, *init]


def _init(module: Mapping[str, Any]) -> str:
    init = module["network"].get("init")
    return "random" if init is None else Path(init).name


def prepare(config: TrainConfig, run_folder: Path) -> Experiment:
    """Find the data, make or read the weak annotations, and hold everything against each other.

    Raises:
        DataError: anything that is missing, damaged or contradictory; nothing has been trained or written by then
            except the generated data set.
    """
    data = config.data
    catalog, layout = load_catalog(data.classes), RunLayout(run_folder)
    check_module_objects(config)
    if not layout.round(0).checkpoint.is_file():
        _check_networks(config, layout, catalog)
    root = Path(data.root)
    if data.toy is not None:
        ensure_toy_city(root, data.toy)
    train = CityscapesSplit(root, data.train_split, catalog, data.files, _ids(data.train_list))
    val = None
    if data.val_split is not None:
        val = CityscapesSplit(root, data.val_split, catalog, data.files, _ids(data.val_list))
        _require_truth(val, val.ids, "data.val_split=null trains without scores")
    full_ids = _full_ids(config, train)
    _require_truth(train, sorted(full_ids), "full supervision needs them")
    for split in (train, val) if val else (train,):
        for image_id in split.ids:
            split.image_size(image_id)
    annotations = None if config.supervision is Supervision.full else _annotations(config, layout, train)
    contents = {} if annotations is None else mask_contents(config, layout)
    experiment = Experiment(config, layout, catalog, train, val, annotations, full_ids, contents)
    if not layout.round(0).checkpoint.is_file():
        _check_truth(experiment)
    return experiment


def _check_truth(experiment: Experiment) -> None:
    """Read every real label that the run will use: one that is damaged must not be found after hours of training."""
    used = [(experiment.train, image_id) for image_id in sorted(experiment.full_ids)]
    if experiment.val is not None:
        used += [(experiment.val, image_id) for image_id in experiment.val.ids]
    with ThreadPoolExecutor() as pool:
        # Only errors matter here; maps of a whole split must not pile up in memory.
        deque(pool.map(_read_truth, used), maxlen=0)


def _read_truth(used: tuple[CityscapesSplit, str]) -> None:
    split, image_id = used
    split.truth(image_id)


def _check_networks(config: TrainConfig, layout: RunLayout, catalog: Catalog) -> None:
    """Build both networks once, for the errors in their settings and initial weights."""
    build_segmenter(config.segmenter, catalog)
    if config.supervision is not Supervision.full and not (layout.classifier / "last.ckpt").is_file():
        build_classifier(config.classifier, catalog)


def mask_contents(config: TrainConfig, layout: RunLayout) -> dict[str, str]:
    """Checksums of what masks in boxes are made with, by setting.

    Of the files as they are; where they are gone and masks are sealed, as the run's own record has them.

    Raises:
        WeakpanError: they are gone, or cannot be read, and masks are not sealed.
    """
    masks, ending = "masks.", " content"
    try:
        source = config.mask_source
        with errors_below("masks"):
            source.check_files()
        return {f"{masks}{key}{ending}": digest for key, digest in source.contents().items()}
    except WeakpanError:
        if not (MapStore(layout.masks).is_sealed() and layout.settings.is_file()):
            raise
    recorded = read_settings(layout.settings)
    return {key: value for key, value in recorded.items() if key.startswith(masks) and key.endswith(ending)}


def _ids(path: str | None) -> tuple[str, ...] | None:
    return None if path is None else read_id_list(Path(path))


def _full_ids(config: TrainConfig, train: CityscapesSplit) -> frozenset[str]:
    if config.supervision is Supervision.full:
        return frozenset(train.ids)
    if config.full_list is None:
        return frozenset()
    listed = read_id_list(Path(config.full_list))
    unknown = sorted(set(listed) - set(train.ids))
    if unknown:
        raise DataError(f"full_list={config.full_list}: {unknown[0]} is not in split {train.split} of {train.root}")
    return frozenset(listed)


def _require_truth(split: CityscapesSplit, ids: tuple[str, ...] | list[str], why: str) -> None:
    for image_id in ids:
        if not split.has_truth(image_id):
            raise DataError(f"{split.image_path(image_id)}: no real labels beside it; {why}")


def _annotations(config: TrainConfig, layout: RunLayout, train: CityscapesSplit) -> WeakAnnotations:
    """The run's own copy; the first time those of the given file, or derived from real labels.

    The crop grid is the file's; `data.crop` is for deriving.
    """
    if layout.weak_annotations.is_file():
        annotations = read_weak_annotations(layout.weak_annotations, train.catalog)
    elif config.data.weak_annotations is not None:
        annotations = read_weak_annotations(Path(config.data.weak_annotations), train.catalog)
    else:
        grid = CropGrid(config.data.crop.height, config.data.crop.width)
        annotations = derive_annotations(train, grid, config.processes)
    check_annotations(annotations, train)
    return annotations
