"""What a run may be told: the typed schema of the configuration, and the checks that types cannot make.

The YAML files under conf/ fill this schema. Hydra refuses unknown keys and wrong types with the full key; `check_train`
refuses values out of range before any work starts. Settings of other rooms are part of the schema; they are plain
dataclasses, because OmegaConf takes a frozen one for read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from weakpan.cues.box_masks import MaskSettings
from weakpan.cues.grad_cam import CamSettings
from weakpan.data.cityscapes import FileTemplates
from weakpan.data.crop_datamodule import CropSettings
from weakpan.data.panoptic_datamodule import ViewSettings
from weakpan.data.toy_city import ToyCitySpec
from weakpan.errors import ConfigError, WeakpanError
from weakpan.labels.settings import LabelSettings
from weakpan.models.decode import DecodeSettings
from weakpan.training.losses import LossWeights
from weakpan.training.optimisers import OptimiserSettings

_FIGURES = {
    "val": ("miou", "pq", "sq", "rq", "pq_things", "pq_stuff", "ap", "ap50"),
    "labels": ("labelled", "accuracy", "miou", "pq"),
}
"""Figures of a round that a sweep can optimise."""


class Supervision(Enum):
    """Whose labels the segmenter is trained on."""

    weak = "weak"
    full = "full"
    semi = "semi"


@dataclass
class GridConfig:
    """Tile of the crop grid, pixels of the photograph."""

    height: int = 400
    width: int = 500


@dataclass
class DataConfig:
    """Group `data`: where photographs and annotations come from.

    Attributes:
        name: as it appears in reports.
        root: folder of the data set; relative to where the command is started.
        classes: built-in class table, or the path of a JSON file.
        train_split: folder name of the training split.
        val_split: folder name of the split that scores are made on; null for none.
        train_list: file with ids that the training split is restricted to; null for all.
        val_list: the same for the validation split.
        files: file-name templates.
        crop: tile of the crop grid that tags are derived for; a weak-annotation file brings its own.
        weak_annotations: weak-annotation file of the training split; null derives one from its real labels, once.
        toy: settings of the generated data set; null for data that is there already.
        workers: loader processes for each loader.
    """

    name: str = MISSING
    root: str = MISSING
    classes: str = MISSING
    train_split: str = "train"
    val_split: str | None = "val"
    train_list: str | None = None
    val_list: str | None = None
    files: FileTemplates = field(default_factory=FileTemplates)
    crop: GridConfig = field(default_factory=GridConfig)
    weak_annotations: str | None = None
    toy: ToyCitySpec | None = None
    workers: int = 2


@dataclass
class CuesConfig:
    """Group `cues`: what boxes and tags tell about pixels.

    Attributes:
        cam: heatmaps to labels.
        masks: masks in boxes.
        workers: processes that look for masks in boxes.
    """

    cam: CamSettings = field(default_factory=CamSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    workers: int = 2


@dataclass
class ClassifierNetworkConfig:
    """The classifier's network; any class that takes these arguments and `num_classes`."""

    _target_: str = "weakpan.models.crop_classifier.CropClassifier"
    encoder: str = MISSING
    init: str | None = None
    output_stride: int | None = 16
    dropout: float = 0.1


@dataclass
class ClassifierConfig:
    """Group `classifier`.

    Attributes:
        epochs: passes over all tiles.
        init: initial weights of the encoder: a file, `pretrained`, or null.
        module: LightningModule that is given `network` and `optimiser`.
        network: the plain module.
        crops: how tiles are shown.
        optimiser: settings.
    """

    epochs: int = 6
    init: str | None = None
    module: str = "weakpan.training.classifier_module.ClassifierModule"
    network: ClassifierNetworkConfig = field(default_factory=ClassifierNetworkConfig)
    crops: CropSettings = field(default_factory=CropSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)


@dataclass
class SegmenterNetworkConfig:
    """The segmenter's network; any class that takes these arguments and `num_classes`."""

    _target_: str = "weakpan.models.panoptic_net.PanopticNet"
    encoder: str = MISSING
    init: str | None = None
    output_stride: int = 16
    finest_stride: int = 4
    channels: int = 96
    bins: list[int] = field(default_factory=lambda: [1, 2, 3, 6])
    dropout: float = 0.1
    auxiliary: bool = False


@dataclass
class SegmenterConfig:
    """Group `segmenter`.

    Attributes:
        init: initial weights of the encoder: a file, `pretrained`, or null.
        module: LightningModule that is given network, catalog and the settings below.
        network: the plain module.
        views: sizes, augmentation and batch.
        optimiser: settings.
        losses: weights of the parts.
        decode: panoptic decoder.
        frozen_batch_norm: keep the encoder's BatchNorm as it was initialised.
        flip_average: average predictions with those of the mirrored image.
        channels_last: memory format.
    """

    init: str | None = None
    module: str = "weakpan.training.segmenter_module.SegmenterModule"
    network: SegmenterNetworkConfig = field(default_factory=SegmenterNetworkConfig)
    views: ViewSettings = field(default_factory=ViewSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    losses: LossWeights = field(default_factory=LossWeights)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    frozen_batch_norm: bool = False
    flip_average: bool = True
    channels_last: bool = False


@dataclass
class RoundsConfig:
    """Group `rounds`.

    Attributes:
        n: at most this many trainings of the segmenter.
        epochs: of each training.
        warm_start: begin a round with the weights of the one before.
        stop_on_loss: stop when the training loss no longer falls.
        min_loss_drop: share of the loss before by which it must fall to go on, 0..1.
        candidates: relabel with the most likely class among those that tags and boxes leave to a pixel. False is the
            published scheme, in which a class that they rule out becomes 255.
    """

    n: int = 3
    epochs: int = 8
    warm_start: bool = True
    stop_on_loss: bool = True
    min_loss_drop: float = 0.0
    candidates: bool = True


@dataclass
class ReportConfig:
    """Group `report`: pictures in report.html; the number of training and of validation images shown."""

    train_images: int = 4
    val_images: int = 6


@dataclass
class TrainConfig:
    """Everything that train.py can be told."""

    run: str = MISSING
    seed: int = 0
    supervision: Supervision = Supervision.weak
    full_list: str | None = None
    metric: str = "val.pq"
    data: DataConfig = field(default_factory=DataConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    labels: LabelSettings = field(default_factory=LabelSettings)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    trainer: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)


@dataclass
class PredictConfig:
    """Everything that predict.py can be told.

    Attributes:
        run: run folder of train.py; null where `checkpoint` is given.
        round: use this round of the run; null for the last finished one.
        checkpoint: last.ckpt of a round, in its place within the run folder; null where `run` is given.
        input: folder of photographs of any size; null for a split of the run's data set.
        split: folder name of that split.
        data_root: where the run's data set lies now; null for where the run had it.
        out: folder that results are written to; must be empty or not there.
        overlays: write pictures with the prediction on top.
        workers: loader processes.
        trainer: arguments of the Lightning Trainer in place of the run's; null leaves an argument as it was.
    """

    run: str | None = None
    round: int | None = None
    checkpoint: str | None = None
    input: str | None = None
    split: str | None = None
    data_root: str | None = None
    out: str = MISSING
    overlays: bool = True
    workers: int = 2
    trainer: dict[str, Any] = field(default_factory=dict)


def register() -> None:
    """Make the schemas known to Hydra, as `train_schema` and `predict_schema`."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="predict_schema", node=PredictConfig)


def to_train_config(composed: DictConfig) -> TrainConfig:
    """The composed configuration as typed objects, checked.

    Raises:
        ConfigError: a missing value, an interpolation that leads nowhere, or a value out of range.
    """
    config = _to_object(TrainConfig, composed)
    assert isinstance(config, TrainConfig)
    check_train(config)
    return config


def to_predict_config(composed: DictConfig) -> PredictConfig:
    """The composed configuration as typed objects, checked; raises ConfigError."""
    config = _to_object(PredictConfig, composed)
    assert isinstance(config, PredictConfig)
    if (config.input is None) == (config.split is None):
        raise ConfigError("give either input=FOLDER or split=NAME (a split of the run's data set), and not both")
    if (config.run is None) == (config.checkpoint is None):
        raise ConfigError("give either run=FOLDER (a run folder of train.py) or checkpoint=FILE, and not both")
    if config.checkpoint is not None and config.round is not None:
        raise ConfigError(f"round={config.round} belongs to run=FOLDER; checkpoint={config.checkpoint} is of one round")
    if config.data_root is not None and config.split is None:
        raise ConfigError(f"data_root={config.data_root} belongs to split=NAME, and not to input=FOLDER")
    _check({"round": config.round or 0, "workers": config.workers}, lambda v: v >= 0, "0 or more")
    return config


def _to_object(schema: type[TrainConfig] | type[PredictConfig], given: DictConfig) -> Any:
    try:
        composed = OmegaConf.merge(OmegaConf.structured(schema), given)
        missing = OmegaConf.missing_keys(composed)
        if missing:
            raise ConfigError(f"no value for {', '.join(sorted(missing))}; give one as KEY=VALUE on the command line")
        return OmegaConf.to_object(composed)
    except WeakpanError:
        raise
    except Exception as error:
        # Settings that check themselves raise inside OmegaConf, which wraps what they said.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, WeakpanError):
            cause = cause.__cause__ or cause.__context__
        raise ConfigError(str(cause or error)) from error


def settings_of(config: TrainConfig, *groups: str) -> dict[str, Any]:
    """Plain flat settings (`a.b.c` to value) of some groups, for manifests: what would make other labels."""
    flat: dict[str, Any] = {}
    for group in groups:
        value = getattr(config, group)
        _flatten(group, asdict(value) if hasattr(value, "__dataclass_fields__") else value, flat)
    # How many processes share the work does not change its result.
    return {key: value for key, value in flat.items() if not key.endswith(".workers")}


def _flatten(prefix: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{prefix}.{key}", inner, into)
    elif isinstance(value, Enum):
        into[prefix] = value.value
    else:
        into[prefix] = list(value) if isinstance(value, tuple | list) else value


def check_train(config: TrainConfig) -> None:
    """Refuse values that have the right type and still make no sense; raises ConfigError naming the key."""
    _check_ranges(config)
    views, classifier = config.segmenter.views, config.classifier
    if views.max_scale < views.min_scale:
        raise ConfigError(
            f"segmenter.views.max_scale={views.max_scale} is below segmenter.views.min_scale={views.min_scale}"
        )
    for key, stride in (
        ("segmenter", config.segmenter.network.output_stride),
        ("classifier", classifier.network.output_stride),
    ):
        if stride not in (None, 8, 16, 32):
            raise ConfigError(f"{key}.network.output_stride={stride}: expected 8, 16 or 32")
    for key, name in (
        ("segmenter", config.segmenter.optimiser.name),
        ("classifier", classifier.optimiser.name),
    ):
        if name not in ("adamw", "sgd"):
            raise ConfigError(f"{key}.optimiser.name={name}: expected adamw or sgd")
    if config.segmenter.decode.centre_window % 2 == 0:
        raise ConfigError(f"segmenter.decode.centre_window={config.segmenter.decode.centre_window}: must be odd")
    own = [key for key in ("max_epochs", "logger", "callbacks", "default_root_dir") if key in config.trainer]
    if own:
        raise ConfigError(
            f"trainer.{own[0]}={config.trainer[own[0]]}: set by the loop itself; use rounds.epochs and "
            "classifier.epochs, logger, callbacks or run"
        )
    group, _, figure = config.metric.partition(".")
    if config.metric != "train_loss" and (group not in ("val", "labels") or figure not in _FIGURES[group]):
        names = ", ".join(f"{g}.{name}" for g, names in _FIGURES.items() for name in names)
        raise ConfigError(f"metric={config.metric}: expected train_loss or one of {names}")
    if (config.supervision is Supervision.semi) != (config.full_list is not None):
        raise ConfigError(
            f"supervision={config.supervision.value} with full_list={config.full_list}: the list of fully labelled "
            "images belongs to supervision=semi, and to nothing else"
        )


def _check_ranges(config: TrainConfig) -> None:
    views, rounds, classifier = config.segmenter.views, config.rounds, config.classifier
    at_least_one = {
        "rounds.n": rounds.n,
        "rounds.epochs": rounds.epochs,
        "classifier.epochs": classifier.epochs,
        "classifier.crops.images_per_batch": classifier.crops.images_per_batch,
        "segmenter.views.batch_size": views.batch_size,
        "segmenter.views.crop_height": views.crop_height,
        "segmenter.views.crop_width": views.crop_width,
        "segmenter.network.channels": config.segmenter.network.channels,
        "data.crop.height": config.data.crop.height,
        "data.crop.width": config.data.crop.width,
        "cues.workers": config.cues.workers,
        "classifier.crops.height": 1 if classifier.crops.height is None else classifier.crops.height,
        "classifier.crops.width": 1 if classifier.crops.width is None else classifier.crops.width,
        "segmenter.network.bins": min(config.segmenter.network.bins, default=0),
        "segmenter.network.finest_stride": config.segmenter.network.finest_stride,
        "segmenter.decode.centre_window": config.segmenter.decode.centre_window,
        "segmenter.decode.max_instances": config.segmenter.decode.max_instances,
    }
    above_zero = {
        "segmenter.views.scale": views.scale,
        "segmenter.views.min_scale": views.min_scale,
        "segmenter.views.centre_sigma": views.centre_sigma,
        "segmenter.optimiser.learning_rate": config.segmenter.optimiser.learning_rate,
        "classifier.optimiser.learning_rate": classifier.optimiser.learning_rate,
    }
    share = {
        "rounds.min_loss_drop": rounds.min_loss_drop,
        "segmenter.network.dropout": config.segmenter.network.dropout,
        "classifier.network.dropout": classifier.network.dropout,
        "segmenter.optimiser.warmup": config.segmenter.optimiser.warmup,
        "classifier.optimiser.warmup": classifier.optimiser.warmup,
    }
    not_negative = {
        "seed": config.seed,
        "data.workers": config.data.workers,
        "segmenter.views.colour_jitter": views.colour_jitter,
        "report.train_images": config.report.train_images,
        "report.val_images": config.report.val_images,
        "classifier.crops.colour_jitter": classifier.crops.colour_jitter,
        **{f"segmenter.losses.{k}": v for k, v in asdict(config.segmenter.losses).items()},
        **{
            f"{group}.optimiser.{key}": getattr(settings, key)
            for group, settings in (("segmenter", config.segmenter.optimiser), ("classifier", classifier.optimiser))
            for key in ("encoder_factor", "weight_decay", "power")
        },
    }
    _check(at_least_one, lambda v: v >= 1, "1 or more")
    _check(above_zero, lambda v: v > 0, "more than 0")
    _check(share, lambda v: 0 <= v <= 1, "0 to 1")
    _check(not_negative, lambda v: v >= 0, "0 or more")


def _check(values: Mapping[str, float], valid: Any, expected: str) -> None:
    for key, value in values.items():
        if not valid(value):
            raise ConfigError(f"{key}={value}: expected {expected}")
