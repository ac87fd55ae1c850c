"""A made-up frame of a street, as rich in boxes and as easy to compress as a real one, and the files made from it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from weakpan.basics.arrays import IGNORE, NO_THING, FloatMap, SemanticMap
from weakpan.basics.catalog import CITYSCAPES
from weakpan.data.boxes import INSTANCE_BASE
from weakpan.data.formats.released import ReleasedTree

SPLIT = "train"

_Map = TypeVar("_Map", npt.NDArray[np.uint8], npt.NDArray[np.uint16])

_HORIZON = {10: 0.0, 2: 0.3, 8: 0.35, 1: 0.75, 0: 1.0}
"""Height at which some classes of stuff are likely: sky, building, vegetation, sidewalk, road; 1 is the bottom."""


class Street(NamedTuple):
    """A frame, all (H, W).

    Attributes:
        ids: uint16, `train id * 1000 + n` for an instance, else the train id; 255 ignored.
        prediction: uint8 train ids.
        score: float32, 0..1.
        masks: uint8 masks in boxes, 254 no thing here, 255 undecided.
    """

    ids: npt.NDArray[np.uint16]
    prediction: SemanticMap
    score: FloatMap
    masks: SemanticMap


def make_street(rng: np.random.Generator, height: int, width: int, things: int) -> Street:
    """Ellipses in boxes of 24 to 400 pixels (on a frame 2048 wide) in front of layers of stuff, with ragged borders."""
    ids, masks = _stuff(rng, height, width), np.full((height, width), NO_THING, np.uint8)
    for number in range(things):
        class_id = int(rng.choice(CITYSCAPES.thing_ids))
        half_width, half_height = (
            (np.exp(rng.uniform(np.log(12), np.log(200), 2)) * width / 2048 + 1).astype(int).tolist()
        )
        x, y = int(rng.integers(width)), int(height * rng.uniform(0.4, 0.7))
        cv2.ellipse(ids, (x, y), (half_width, half_height), 0, 0, 360, class_id * INSTANCE_BASE + number, -1)
        cv2.rectangle(masks, (x - half_width, y - half_height), (x + half_width, y + half_height), IGNORE, -1)
        cv2.ellipse(masks, (x, y), (half_width * 4 // 5, half_height * 4 // 5), 0, 0, 360, class_id, -1)
    ids = _ragged(rng, ids, 2.0)
    ids[-height // 16 :] = IGNORE
    classes = np.where(ids >= INSTANCE_BASE, ids // INSTANCE_BASE, ids).astype(np.uint8)
    prediction = _ragged(rng, np.where(classes == IGNORE, 0, classes).astype(np.uint8), 2.0)
    return Street(ids, prediction, _score(rng, prediction), _ragged(rng, masks, 1.0))


def write_street(street: Street, root: Path, group: str, image_id: str) -> tuple[Path, ...]:
    """Write all that stage `labels` reads below a root, which serves as data set and as source; returns the files."""
    start = root / "gtFine" / SPLIT / group / f"{image_id}_gtFine_"
    files = Path(f"{start}instanceTrainIds.png"), Path(f"{start}labelTrainIds.png")
    files[0].parent.mkdir(parents=True, exist_ok=True)
    classes = np.where(street.ids >= INSTANCE_BASE, street.ids // INSTANCE_BASE, street.ids).astype(np.uint8)
    # Compressed as the official maps are, more than by `write_png`.
    Image.fromarray(street.ids).save(files[0])
    Image.fromarray(classes).save(files[1])
    tree = ReleasedTree(root, SPLIT, CITYSCAPES)
    tree.write("prediction", image_id, street.prediction)
    tree.write_scores(image_id, street.score)
    tree.write("masks", image_id, street.masks)
    return *files, tree.path("prediction", image_id), tree.path("scores", image_id), tree.path("masks", image_id)


def _stuff(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint16]:
    rows = np.linspace(0, 1, height // 16)[:, None]
    best = [_smooth(rng, height // 16, width // 16, 4.0) - 8 * np.abs(rows - at) for at in _HORIZON.values()]
    classes = np.array(list(_HORIZON), np.uint16)[np.argmax(best, axis=0)]
    ids: npt.NDArray[np.uint16] = cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST).astype(
        np.uint16
    )
    for column in rng.integers(0, width, 12).tolist():  # poles
        ids[height // 4 : height * 5 // 8, column : column + 1 + width // 256] = 5
    return ids


def _smooth(rng: np.random.Generator, height: int, width: int, sigma: float) -> FloatMap:
    """(H, W) smooth noise of standard deviation 1."""
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), sigma)
    smooth: FloatMap = (noise / noise.std()).astype(np.float32)
    return smooth


def _ragged(rng: np.random.Generator, values: _Map, pixels: float) -> _Map:
    """The same map with its borders moved to and fro by some pixels."""
    height, width = values.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += pixels * _smooth(rng, height, width, 4.0)
    rows += pixels * _smooth(rng, height, width, 4.0)
    moved: _Map = cv2.remap(values, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(
        values.dtype
    )
    return moved


def _score(rng: np.random.Generator, prediction: SemanticMap) -> FloatMap:
    """Nearly 1 inside regions, unsure near their borders."""
    inside = np.ones(prediction.shape, np.uint8)
    inside[:, 1:] &= prediction[:, 1:] == prediction[:, :-1]
    inside[1:] &= prediction[1:] == prediction[:-1]
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    return (1 - 0.6 * np.exp(-distance) * rng.random(prediction.shape, np.float32)).astype(np.float32)
