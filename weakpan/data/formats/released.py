"""The results folder of the authors' released code: what it is made from, and what it makes.

    cam/SPLIT/ID_leftImg8bit.png                CAM label maps: train ids, 255 undecided
    mcg_and_grabcut/SPLIT/ID_leftImg8bit.png    masks in boxes: train ids of things, 0 no thing here, 255 undecided;
                                                in a class table that starts with a thing 254 is no thing here
    cam_heatmaps/SPLIT/ID.npz                   ours: heatmaps that seeds were made from, see `weakpan.seeds.heatmaps`
    pred_sem_raw/ID_leftImg8bit.png             predictions of a network: train ids
    pred_flat_feat/ID_leftImg8bit.mat           their scores, see `mat_scores`
    pred_sem_clean/ID_leftImg8bit.png           results: train ids, 255 ignored
    pred_ins_clean/ID_leftImg8bit.png           results: 0 no instance, ids of boxes, the largest value unlabelled

The PNGs are indexed with 8 bits; only instances of an image with more than 254 need 16 bits, which have no colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, NO_THING, FloatMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_scores import read_mat_scores, write_mat_scores
from weakpan.storage.images import read_map, write_indexed_png, write_png
from weakpan.storage.layout import checked_id

_FOLDERS = {
    "cam": "cam/{split}",
    "masks": "mcg_and_grabcut/{split}",
    "prediction": "pred_sem_raw",
    "scores": "pred_flat_feat",
    "semantic": "pred_sem_clean",
    "instances": "pred_ins_clean",
}
"""By what is called its kind here."""


@dataclass(frozen=True)
class ReleasedTree:
    """Reads and writes the folder described at the top of this module.

    All of its methods raise DataError for an image id that is no plain file name. Readers raise it for a file that is
    missing, damaged, not of 8 bits or holds a value that has no meaning there, and writers for a map of another shape
    or dtype or with such a value. The message names the file. Maps that are read may be read-only arrays.

    Attributes:
        root: of the tree; `results` in the released code.
        split: folder of the CAMs and masks, for instance `train`.
        catalog: class table of the train ids.
        suffix: what follows the image id in file names.
    """

    root: Path
    split: str
    catalog: Catalog
    suffix: str = "_leftImg8bit"

    def path(self, kind: str, image_id: str) -> Path:
        """File of a kind: `cam`, `masks`, `prediction`, `scores`, `semantic` or `instances`."""
        folder = self.root / _FOLDERS[kind].format(split=self.split)
        return folder / f"{checked_id(image_id, folder)}{self.suffix}{'.mat' if kind == 'scores' else '.png'}"

    def read(self, kind: str, image_id: str) -> SemanticMap:
        """A map: (H, W) uint8 train ids, 255 undecided or ignored; of `masks`, 254 no thing here."""
        path = self.path(kind, image_id)
        if kind == "masks":
            return read_masks(path, self.catalog)
        values = _read_8bit(path)
        self._check_classes(path, values)
        return values

    def write(self, kind: str, image_id: str, values: SemanticMap) -> None:
        """Write a map with values as `read` gives them."""
        path = self.path(kind, image_id)
        if values.ndim != 2 or values.dtype != np.uint8:
            raise DataError(f"{path}: a map of shape {values.shape} and dtype {values.dtype}; expected (H, W) uint8")
        if kind == "masks":
            _check_masks(path, values, self.catalog, NO_THING)
            write_indexed_png(path, _replace(values, NO_THING, no_thing_in_files(self.catalog)), index_palette())
        else:
            self._check_classes(path, values)
            write_indexed_png(path, values, class_palette(self.catalog))

    def scores(self, image_id: str, size: tuple[int, int]) -> FloatMap:
        """The scores of the prediction: (H, W) float32, 0..1, for an image of `size` (height, width)."""
        return read_mat_scores(self.path("scores", image_id), size)

    def write_scores(self, image_id: str, scores: FloatMap) -> None:
        """Write the scores of a prediction, (H, W) float, 0..1."""
        write_mat_scores(self.path("scores", image_id), scores)

    def write_instances(self, image_id: str, encoded: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
        """Write an instance result.

        Args:
            image_id: file name of the image without folder and suffix.
            encoded: (H, W): 0 no instance, and 1..254 with 255 unlabelled (uint8, an indexed PNG) or 1..65534 with
                65535 unlabelled (uint16, a grey PNG).
        """
        path = self.path("instances", image_id)
        if encoded.ndim != 2 or encoded.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"{path}: instances of shape {encoded.shape} and dtype {encoded.dtype}; expected (H, W) uint8 or uint16"
            )
        if encoded.dtype == np.uint16:
            write_png(path, encoded)
        else:
            write_indexed_png(path, encoded.astype(np.uint8, copy=False), index_palette())

    def _check_classes(self, path: Path, values: SemanticMap) -> None:
        count = self.catalog.num_classes
        expected = f"train ids of class table {self.catalog.name!r} (0 to {count - 1}) and 255"
        _check_values(path, values, [*range(count), IGNORE], expected)


def read_masks(path: Path, catalog: Catalog) -> SemanticMap:
    """Masks in boxes from one file: (H, W) uint8 train ids of things, 254 no thing here, 255 undecided.

    Raises:
        DataError: a file that is missing, damaged, not of 8 bits, or holds another value; it names the file.
    """
    values, outside = _read_8bit(path), no_thing_in_files(catalog)
    _check_masks(path, values, catalog, outside)
    return _replace(values, outside, NO_THING)


def _check_masks(path: Path, values: SemanticMap, catalog: Catalog, outside: int) -> None:
    expected = f"{outside} (no thing here), train ids of things and 255"
    _check_values(path, values, [*catalog.thing_ids, outside, IGNORE], expected)


def no_thing_in_files(catalog: Catalog) -> int:
    """What files of masks in boxes hold where there is no thing: 0 as released, unless that is a class of things."""
    return NO_THING if catalog.is_thing[0] else 0


def index_palette() -> npt.NDArray[np.uint8]:
    """(256, 3) RGB colours for plain numbers: the colour map of PASCAL VOC, all of them distinct, 0 black.

    The lowest three bits of a number become the highest bits of red, green and blue, the next three the next, and so on
    (VOCcolormap.m of the VOC development kit). The released masks in boxes have this palette.
    """
    numbers = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((numbers >> bit & 1) << 7 - bit // 3).astype(np.uint8)
    return palette


def class_palette(catalog: Catalog) -> npt.NDArray[np.uint8]:
    """(256, 3) RGB colours for train ids: those of the class table, then of `index_palette`; 255 is black.

    With Cityscapes' class table this is the palette of all other released files.
    """
    palette = index_palette()
    palette[: catalog.num_classes] = [c.color for c in catalog.classes]
    palette[IGNORE] = 0
    return palette


def _read_8bit(path: Path) -> SemanticMap:
    values = read_map(path)
    if values.dtype != np.uint8:
        raise DataError(f"{path}: values of type {values.dtype}; the released maps have 8 bits")
    return values.astype(np.uint8, copy=False)


def _check_values(path: Path, values: SemanticMap, valid: Sequence[int], expected: str) -> None:
    # OpenCV takes a tenth of the time that sorting the pixels does.
    occurs = np.flatnonzero(cv2.calcHist([values], [0], None, [256], [0, 256]))
    if found := sorted(set(occurs.tolist()) - set(valid)):
        raise DataError(f"{path}: value {', '.join(map(str, found[:8]))} has no meaning here; expected {expected}")


def _replace(values: SemanticMap, old: int, new: int) -> SemanticMap:
    """The map with one value in place of another; OpenCV takes a tenth of the time of NumPy's indexing."""
    table = np.arange(256, dtype=np.uint8)
    table[old] = new
    return cv2.LUT(values, table).astype(np.uint8, copy=False)
