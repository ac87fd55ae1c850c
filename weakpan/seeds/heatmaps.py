"""Stitched heatmaps of an image on disk, at half size and in 8 bits, to cut labels from them again without a network.

`ID.npz` holds, for the K classes that a crop of the image has as a tag:

    version         () int64      2
    size            (2,) int64    height and width of the image
    crop            (2,) int64    height and width of a crop of the crop grid
    classes         (K,) str      names
    positive        (K, h, w) uint8, h and w half of the image's, rounded up: average over the crops of what speaks for
                    the class, Grad-CAM with its ReLU
    negative        (K, h, w) uint8, average of what speaks against it
    positive_step   (K,) float32, value of one step of `positive`; its largest value is 255 steps
    negative_step   (K,) float32, the same for `negative`
    peaks           (K,) float32, maximum of what speaks for the class at full size

Both together are Grad-CAM without ReLU, which the competing rule needs; the published one needs the first alone. A
value is wrong by at most half a step, and detail of single pixels is lost: labels that are cut from it differ along
borders and where two classes are nearly even. The published rule takes a share of a maximum, which an average of four
pixels does not keep; therefore the peaks.

Worker processes and reports read these files, so this module must stay clear of torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.storage.files import replacing
from weakpan.storage.layout import checked_id

VERSION = 2
LARGEST = 255
"""Steps from 0 to the largest value of a map."""

_LAYOUT = {
    "version": (0, "int64"), "size": (1, "int64"), "crop": (1, "int64"), "classes": (1, "str"),
    "positive": (3, "uint8"), "negative": (3, "uint8"),
    "positive_step": (1, "float32"), "negative_step": (1, "float32"), "peaks": (1, "float32"),
}  # fmt: skip
"""Dimensions and type of each array."""

Steps = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CamHeatmaps:
    """The heatmaps of one image as they are kept, see the top of this module.

    Attributes:
        size: height and width of the image, pixels.
        crop: height and width of a crop of the crop grid that the classes are tags of, pixels.
        classes: (K,) train ids, ascending.
        positive: (K, h, w) uint8, in steps.
        negative: (K, h, w) uint8, in steps.
        positive_step: (K,) float32, 0 or larger.
        negative_step: (K,) float32, 0 or larger.
        peaks: (K,) float32, 0 or larger.
    """

    size: tuple[int, int]
    crop: tuple[int, int]
    classes: tuple[int, ...]
    positive: Steps
    negative: Steps
    positive_step: Floats
    negative_step: Floats
    peaks: Floats

    def only(self, classes: Sequence[int]) -> CamHeatmaps:
        """Those of some classes, in their order; raises ValueError for a class that is not there."""
        rows = [self.classes.index(k) for k in classes]
        maps, steps = (self.positive[rows], self.negative[rows]), (self.positive_step[rows], self.negative_step[rows])
        return CamHeatmaps(self.size, self.crop, tuple(classes), *maps, *steps, self.peaks[rows])

    def speaks_for(self) -> Floats:
        """(K, h, w), Grad-CAM with its ReLU."""
        return self.positive * self.positive_step[:, None, None]

    def signed(self) -> Floats:
        """(K, h, w), Grad-CAM without its ReLU."""
        return self.speaks_for() - self.negative * self.negative_step[:, None, None]


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the heatmaps of an image of `size`."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def in_steps(values: Floats) -> tuple[Steps, Floats]:
    """Round maps to 255 steps each.

    Args:
        values: (K, h, w) float32, 0 or larger.

    Returns:
        (K, h, w) uint8, and the value of a step of each map, (K,) float32; 0 for a map that is 0 everywhere.
    """
    step = (values.max(axis=(1, 2), initial=0) / LARGEST).astype(np.float32)
    # Maps too faint for a step above 0 are nothing.
    steps = np.rint(values / np.where(step > 0, step, 1)[:, None, None]).clip(0, LARGEST)
    return np.where((step > 0)[:, None, None], steps, 0).astype(np.uint8), step


@dataclass(frozen=True)
class HeatmapFolder:
    """Reads and writes the files of one folder; several processes may write different images at the same time.

    Attributes:
        folder: made by the first write.
        catalog: class table; files hold names, and one of other classes is refused.
    """

    folder: Path
    catalog: Catalog

    def path(self, image_id: str) -> Path:
        """File of an image; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id, self.folder)}.npz"

    def has(self, image_id: str) -> bool:
        """Whether the heatmaps of an image are there and whole."""
        try:
            self.read(image_id)
        except DataError:
            return False
        return True

    def write(self, image_id: str, heatmaps: CamHeatmaps) -> None:
        """Write the heatmaps of an image, atomically."""
        arrays = {
            "version": np.array(VERSION),
            "size": np.array(heatmaps.size),
            "crop": np.array(heatmaps.crop),
            "classes": np.array([self.catalog.names[k] for k in heatmaps.classes], np.str_),
            "positive": heatmaps.positive,
            "negative": heatmaps.negative,
            "positive_step": heatmaps.positive_step,
            "negative_step": heatmaps.negative_step,
            "peaks": heatmaps.peaks,
        }
        with replacing(self.path(image_id)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def read(self, image_id: str) -> CamHeatmaps:
        """The heatmaps of an image.

        Raises:
            DataError: a file that is missing, damaged, of another layout or version, of a class that the table lacks,
                or with a step that is no number or below 0; it is named.
        """
        path = self.path(image_id)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            raise DataError(f"{path}: no such heatmaps; make them with seeds.keep_heatmaps=true") from None
        except Exception as error:  # numpy and zipfile raise half a dozen types for a damaged file
            raise DataError(f"{path}: not readable ({error}); delete it and make it again") from error
        try:
            _check_arrays(arrays)
            classes = tuple(self.catalog.train_id_named(str(name)) for name in arrays["classes"])
            if list(classes) != sorted(set(classes)):
                raise ValueError(f"classes {', '.join(arrays['classes'])}, expected each once, in the table's order")
        except (DataError, ValueError) as error:
            raise DataError(f"{path}: {error}; delete it and make it again") from error
        (height, width), (crop_height, crop_width) = arrays["size"].tolist(), arrays["crop"].tolist()
        return CamHeatmaps(
            (height, width),
            (crop_height, crop_width),
            classes,
            arrays["positive"],
            arrays["negative"],
            arrays["positive_step"],
            arrays["negative_step"],
            arrays["peaks"],
        )


def _check_arrays(arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Raise ValueError for arrays that are not as the top of this module says."""
    # Others have another layout, too.
    if "version" in arrays and arrays["version"].tolist() != VERSION:
        raise ValueError(f"version {arrays['version']}, this weakpan reads version {VERSION}")
    if set(arrays) != set(_LAYOUT):
        raise ValueError(f"holds {', '.join(sorted(arrays)) or 'nothing'}, expected {', '.join(sorted(_LAYOUT))}")
    for name, (dimensions, dtype) in _LAYOUT.items():
        found = arrays[name]
        if found.ndim != dimensions or (found.dtype.kind != "U" if dtype == "str" else found.dtype != dtype):
            raise ValueError(f"{name} has {found.ndim} dimensions of {found.dtype}, expected {dimensions} of {dtype}")
    for name in ("size", "crop"):
        if len(arrays[name]) != 2 or min(arrays[name].tolist()) < 1:
            raise ValueError(f"{name} {arrays[name]}, expected height and width")
    size = arrays["size"].tolist()
    count = len(arrays["classes"])
    shape = (count, *half_size((size[0], size[1])))
    for name in ("positive", "negative"):
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    for name in ("positive_step", "negative_step", "peaks"):
        values = arrays[name].astype(np.float64)
        if values.shape != (count,) or not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(f"{name} is {values}, expected {count} finite numbers of 0 or more")
