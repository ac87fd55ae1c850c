"""Masks in boxes with a mask network among the voices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Protocol

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.errors import RunError
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.masks.box_masks import BoxMaskResult, MaskSettings, check_box, masks_in_boxes
from weakpan.masks.sam_folder import weight_files
from weakpan.masks.source import check_size
from weakpan.storage.files import content_digest

# Named and not imported: cues lie below networks, and processes that ask no network are spared the seconds and the
# memory that torch costs.
_MASK_NET = "weakpan.masks.network_predictor", "read_mask_net"
_SAM = "weakpan.masks.sam_predictor", "read_sam"


class Voice(Protocol):
    """Something that says how likely the pixels of boxes are their objects."""

    def probabilities(self, image: RGBImage, boxes: Sequence[Box], /) -> Mapping[int, FloatMap]:
        """By position of the instance boxes in `boxes`, (box height, box width), 0..1; the same for equal input."""
        ...


@dataclass(frozen=True)
class NetworkMasks:
    """Masks from the pixels: a vote of GrabCut, a segment proposal, the shape of a box and a mask network.

    Only the path travels to worker processes. Each reads the network once, and importing torch costs it some seconds.

    Attributes:
        path: of the network: the file that `make_gt.py stage=mask_net` wrote, or the folder of a model of the SAM
            family.
        settings: the dials.
        content: checksum of its files, so that no process makes masks with others; None for any.
    """

    path: Path
    settings: MaskSettings = field(default_factory=MaskSettings)
    content: str | None = None

    def masks(self, annotation: ImageAnnotation, image: Callable[[], RGBImage]) -> BoxMaskResult:
        """Masks in the boxes of one image.

        Raises:
            ConfigError: the library that reads a model of the SAM family is not installed.
            DataError: the photograph has another size than the annotation says, a box lies outside it, or the network
                is missing or damaged.
            RunError: the network has another checksum than `content`.
        """
        pixels = image()
        check_size(annotation, pixels)
        for index, box in enumerate(annotation.boxes):
            check_box(index, box, annotation.height, annotation.width)
        probabilities = network_voice(self.path, self.path.is_dir(), self.content).probabilities(
            pixels, annotation.boxes
        )
        return masks_in_boxes(pixels, annotation.boxes, self.settings, probabilities)


def network_voice(path: Path, sam: bool, content: str | None) -> Voice:
    """The mask network of a file, or the model of the SAM family of a folder; a process keeps the last one.

    Args:
        path: of the file or folder.
        sam: whether it is a model of the SAM family.
        content: checksum that its files must have, as `content_digest` makes it; None for any.

    Raises:
        ConfigError: the library that reads a model of the SAM family is not installed.
        DataError: it is missing or damaged.
        RunError: its files have another checksum.
    """
    # Files are read again only when their time or size has changed.
    now = content_digest(file for file in weight_files(path) if file.is_file())
    if content not in (None, now):
        raise RunError(
            f"{path}: changed while masks were made with it ({content} when the stage began, {now} now); masks of two "
            "networks do not go together, so put back what was there, or make all masks in a new folder"
        )
    return _voice(path, sam, now)


@lru_cache(maxsize=1)
def _voice(path: Path, sam: bool, content: str) -> Voice:  # noqa: ARG001
    module, name = _SAM if sam else _MASK_NET
    voice: Voice = getattr(import_module(module), name)(path)
    return voice
