"""What the scripts may be told about masks in boxes: where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import ConfigError, WeakpanError
from weakpan.config.keys import in_full
from weakpan.data.loaders.box_window import WindowSettings
from weakpan.masks.box_masks import Combine, MaskSettings
from weakpan.masks.coco import CocoMasks
from weakpan.masks.contours import LAB, load_contours
from weakpan.masks.map_files import IdMasks, ReleasedMasks
from weakpan.masks.matching import MatchSettings
from weakpan.masks.mcg import McgMasks
from weakpan.masks.network import NetworkMasks
from weakpan.masks.sam import SamMasks
from weakpan.masks.sam_folder import check_sam_folder, weight_files
from weakpan.masks.source import GrabCutAndProposals, MaskSource
from weakpan.storage.files import content_digest

_READS = {
    "network": "file or folder", "sam": "folder", "mcg": "folder",
    "coco": "file", "ids": "folder", "released": "folder",
}  # fmt: skip
"""What masks.path is, by kind; grabcut has none."""
_NETWORKS = ("network", "sam")
_WITH_OWN_PROPOSALS = ("grabcut", "network")
_FOUNDATION = (
    "a foundation model that others trained on masks, a billion of them for SAM: more than boxes and tags stands "
    "behind these masks"
)


@dataclass
class MaskNetConfig:
    """The mask network of `make_gt.py stage=mask_net`, which learns from boxes and photographs alone.

    Attributes:
        encoder: timm model name.
        init: initial weights of the encoder: null for random ones, `pretrained` for the library's, or a file of them;
            or a mask_net.pt, whose whole network is then trained on.
        channels: of the decoder, 8..512.
        steps: batches to learn from, 1 or more.
        learning_rate: at its highest, above 0.
        encoder_factor: the encoder's learning rate as a share of that, 0..1.
        weight_decay: 0 or more.
        outside, projection, pairwise, looks: weights of the loss parts, see `weakpan.training.mask_losses`, 0 or more.
        seed: of weights, windows and order.
        loaders: processes that prepare windows; 0 for none. They change nothing but the time.
        windows: how boxes are shown.

    Raises:
        ConfigError: a value outside its range, named by its field.
    """

    encoder: str = "tf_efficientnet_lite0"
    init: str | None = None
    channels: int = 48
    steps: int = 1000
    learning_rate: float = 1e-3
    encoder_factor: float = 0.3
    weight_decay: float = 1e-2
    outside: float = 1.0
    projection: float = 1.0
    pairwise: float = 1.0
    looks: float = 0.5
    seed: int = 0
    loaders: int = 0
    windows: WindowSettings = field(default_factory=WindowSettings)

    def __post_init__(self) -> None:
        """Check the ranges."""
        ranges = {
            "channels": (8, 512), "steps": (1, 10**7), "learning_rate": (1e-9, 10), "encoder_factor": (0, 1),
            "seed": (0, 2**31), "loaders": (0, 256),
        }  # fmt: skip
        for name, value in vars(self).items():
            low, high = ranges.get(name, (0, 1e6))
            if isinstance(value, int | float) and not low <= value <= high:
                raise ConfigError(f"masks.network.{name}={value}: expected {low:g} to {high:g}")


@dataclass
class MasksConfig:
    """A source of masks in boxes.

    Attributes:
        kind: `grabcut`: GrabCut and segment proposals, made from boxes and pixels; `network`: the same with a mask
            network or a model of the SAM family among the voices; `sam`: what such a model finds for the boxes; `mcg`:
            GrabCut and the segment proposals of MCG; `coco`: a COCO instance or result file; `ids`: a PNG of mask ids
            an image; `released`: finished maps like those that the authors released.
        path: of the file (`network`: mask_net.pt; `coco`) or folder (`network` and `sam`: of a model of the SAM family,
            as the library transformers saves it; `mcg`, `ids`, `released`).
        template: name of an image's file in the folder without its suffix, or of the image in the COCO file, with
            `{id}`.
        min_iou: least IoU of a box with the box around a mask or candidate for that to be taken, 0..1 (`mcg`, `coco`,
            `ids`).
        dials: of `grabcut`, `network` and `mcg`; of them `sam` uses `min_cover`, `fallback`, `fallback_radius` and
            `overlap`.
        network: how a mask network is made (`make_gt.py stage=mask_net`).

    Raises:
        ConfigError: a value outside its range, or values that do not go together, by their keys.
    """

    kind: str = "grabcut"
    path: str | None = None
    template: str = "{id}"
    min_iou: float = 0.5
    dials: MaskSettings = field(default_factory=MaskSettings)
    network: MaskNetConfig = field(default_factory=MaskNetConfig)

    def __post_init__(self) -> None:
        """Check what belongs together; raises ConfigError."""
        if self.kind not in ("grabcut", *_READS):
            raise ConfigError(f"masks.kind={self.kind}: choose one of grabcut, {', '.join(_READS)}")
        if (self.kind in _READS) != (self.path is not None):
            raise ConfigError(
                f"masks.kind={self.kind} with masks.path={self.path}: "
                + (
                    f"give its {_READS[self.kind]}, masks.path=PATH"
                    if self.path is None
                    else "it reads no files; leave the path out"
                )
            )
        if "{id}" not in self.template:
            raise ConfigError(f"masks.template={self.template}: must hold {{id}}, which stands for the image id")
        if not 0 <= self.min_iou <= 1:
            raise ConfigError(f"masks.min_iou={self.min_iou}: expected 0 to 1")
        if self.kind in _NETWORKS and self.dials.combine != Combine.VOTE:
            heard = "is heard in a vote only" if self.kind == "network" else "is asked alone"
            raise ConfigError(
                f"masks.kind={self.kind} with masks.dials.combine={self.dials.combine}: a network {heard}; leave "
                "masks.dials.combine=vote as it is, or give masks.kind=grabcut"
            )
        if self.kind not in _WITH_OWN_PROPOSALS and self.dials.contours != LAB:
            raise ConfigError(
                f"masks.kind={self.kind} with masks.dials.contours={self.dials.contours}: contours belong to our own "
                f"segment proposals, those of {' and '.join(_WITH_OWN_PROPOSALS)}; leave them out"
            )

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words, for reports."""
        if self.path is None:
            return f"masks in boxes from GrabCut and segment proposals, {self._boundaries}"
        name = Path(self.path).name
        if self.kind == "sam":
            return f"masks in boxes from {name}, {_FOUNDATION}"
        if self.kind == "network" and Path(self.path).is_dir():
            return f"masks in boxes from GrabCut, segment proposals and {name}, {_FOUNDATION}"
        if self.kind == "network":
            return (
                f"masks in boxes from GrabCut, segment proposals and {name}, a network that learned from boxes, "
                f"{self._boundaries}"
            )
        if self.kind == "mcg":
            return (
                f"masks in boxes from GrabCut and the segment proposals of MCG in {name}, whose edges are learned from "
                "boundary labels: boundary supervision"
            )
        return f"masks in boxes read from {name} ({self.kind}), with whatever its tool has learned from"

    @property
    def _boundaries(self) -> str:
        """What our own segment proposals know about boundaries."""
        if self.dials.contours == LAB:
            return "without learned boundaries"
        return f"with contours of {self.dials.contours} and whatever boundaries it has learned from"

    def check_files(self) -> None:
        """Look whether what the paths name is there and, of weights, can be read, as far as files tell.

        Raises:
            ConfigError: a path that is not there, contours that cannot be made, or a library that is not installed.
            DataError: the folder of a model lacks a part.
        """
        # Made here once, so that a mistake is told before work starts and not for each image.
        load_contours(self.dials.contours, self.dials.contours_file)
        if self.path is None:
            return
        path, what = Path(self.path), _READS[self.kind]
        if not ((path.is_file() and "file" in what) or (path.is_dir() and "folder" in what)):
            raise ConfigError(f"masks.path={path}: no such {what}; masks.kind={self.kind} reads one")
        if self.kind in _NETWORKS and path.is_dir():
            check_sam_folder(path)

    def contents(self) -> dict[str, str]:
        """Checksums by key, `path` or `dials.contours_file`, of files that may change while their paths stay.

        Those are weights, and masks in one file; folders with a file an image are not looked through. Raises what
        `check_files` does.
        """
        self.check_files()
        found = {}
        if self.path is not None and self.kind in (*_NETWORKS, "coco"):
            found["path"] = content_digest(weight_files(Path(self.path)))
        if self.dials.contours_file is not None:
            found["dials.contours_file"] = content_digest([Path(self.dials.contours_file)])
        return found

    def source(self, catalog: Catalog) -> MaskSource:
        """The source that these settings describe; raises what `check_files` does."""
        self.check_files()
        if self.path is None:
            return GrabCutAndProposals(self.dials)
        path, match = Path(self.path), MatchSettings(self.min_iou)
        if self.kind == "network":
            return NetworkMasks(path, self.dials, content_digest(weight_files(path)))
        if self.kind == "sam":
            return SamMasks(path, self.dials, content_digest(weight_files(path)))
        if self.kind == "mcg":
            return McgMasks(path, f"{self.template.removesuffix('.mat')}.mat", self.min_iou, self.dials)
        if self.kind == "coco":
            return CocoMasks(path, catalog, self.template, match)
        if self.kind == "ids":
            return IdMasks(path, f"{self.template}.png", match)
        return ReleasedMasks(path, catalog, f"{self.template}.png")


@contextmanager
def masks_at(path: str) -> Iterator[None]:
    """Make errors about the settings of masks, which come when their files are read, name them by their place."""
    try:
        yield
    except WeakpanError as error:
        error.args = (in_full(str(error), path, (field.name for field in fields(MasksConfig))),)
        raise
