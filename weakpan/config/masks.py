"""What the scripts may be told about masks in boxes: where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from weakpan.catalog import Catalog
from weakpan.cues.box_masks import MaskSettings
from weakpan.cues.coco_masks import CocoMasks
from weakpan.cues.mask_files import IdMasks, ReleasedMasks
from weakpan.cues.mask_matching import MatchSettings
from weakpan.cues.mask_sources import GrabCutAndProposals, MaskSource
from weakpan.errors import ConfigError

_FROM_FILES = ("coco", "ids", "released")


@dataclass
class MasksConfig:
    """A source of masks in boxes.

    Attributes:
        kind: `grabcut`: GrabCut and segment proposals, made from boxes and pixels; `coco`: a COCO instance or result
            file; `ids`: a PNG of mask ids an image; `released`: finished maps like those that the authors released.
        path: of the file (`coco`) or folder (`ids`, `released`).
        template: name of an image's file in the folder, or of the image in the COCO file, with `{id}`.
        min_iou: least IoU of a box with the box around a mask for the mask to be taken, 0..1 (`coco`, `ids`).
        dials: of `grabcut`.
    """

    kind: str = "grabcut"
    path: str | None = None
    template: str = "{id}"
    min_iou: float = 0.5
    dials: MaskSettings = field(default_factory=MaskSettings)

    def __post_init__(self) -> None:
        """Check what belongs together; raises ConfigError."""
        if self.kind not in ("grabcut", *_FROM_FILES):
            raise ConfigError(f"masks.kind={self.kind}: choose one of grabcut, {', '.join(_FROM_FILES)}")
        if (self.kind in _FROM_FILES) != (self.path is not None):
            raise ConfigError(
                f"masks.kind={self.kind} with masks.path={self.path}: a path belongs to {', '.join(_FROM_FILES)}, and "
                "to nothing else"
            )
        if "{id}" not in self.template:
            raise ConfigError(f"masks.template={self.template}: must hold {{id}}, which stands for the image id")
        if not 0 <= self.min_iou <= 1:
            raise ConfigError(f"masks.min_iou={self.min_iou}: expected 0 to 1")

    @property
    def supervision(self) -> str:
        """What stands behind the masks, in words, for reports."""
        if self.path is None:
            return "masks in boxes from GrabCut and segment proposals, without learned boundaries"
        return f"masks in boxes read from {Path(self.path).name} ({self.kind}), with whatever its tool has learned from"

    def source(self, catalog: Catalog) -> MaskSource:
        """The source that these settings describe.

        Raises:
            ConfigError: a path that is not there.
        """
        if self.path is None:
            return GrabCutAndProposals(self.dials)
        path, match = Path(self.path), MatchSettings(self.min_iou)
        if not (path.is_file() if self.kind == "coco" else path.is_dir()):
            what = "file" if self.kind == "coco" else "folder"
            raise ConfigError(f"masks.path={path}: no such {what}; masks.kind={self.kind} reads one")
        if self.kind == "coco":
            return CocoMasks(path, catalog, self.template, match)
        if self.kind == "ids":
            return IdMasks(path, f"{self.template}.png", match)
        return ReleasedMasks(path, catalog, f"{self.template}.png")
