"""Toy city: a data set of synthetic street scenes, drawn on demand, in the Cityscapes tree.

    ROOT/leftImg8bit/SPLIT/toyville/ID_leftImg8bit.png        RGB
    ROOT/gtFine/SPLIT/toyville/ID_gtFine_labelIds.png         8 bit, Cityscapes label ids
    ROOT/gtFine/SPLIT/toyville/ID_gtFine_instanceIds.png      16 bit, label id * 1000 + n on instances
    ROOT/toy_city.json                                        the seal, written last

It needs no download and no licence, its labels are exact, and an image depends on nothing but the seed, its split, its
number and its size. `weakpan.basics.catalog.TOY_CITY` is its class table.
"""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from weakpan.basics.errors import DataError, errors_below
from weakpan.basics.settings import between, check_settings, setting
from weakpan.parallel.sharing import end_with_parent
from weakpan.parallel.threads import available_cores
from weakpan.storage.files import write_text_atomically
from weakpan.storage.images import write_png
from weakpan.toy_city.scene import draw_scene

log = logging.getLogger(__name__)

SEAL = "toy_city.json"
FORMAT = "weakpan-toy-city"
VERSION = 1
"""Of the generator: raised when the same spec gives other pixels."""

_SPLITS = ("train", "val")
_FIRST_NUMBER = {"train": 0, "val": 500_000}
"""Keeps ids unique over the splits, whatever their sizes."""

_IMAGES_PER_PROCESS = 12
"""With fewer images each, starting another process takes longer than it saves."""

_OUR_FILE = re.compile(
    r"(leftImg8bit|gtFine)/(train|val)/toyville/"
    r"\.?toyville_\d{6}_\d{6}_(leftImg8bit|gtFine_labelIds|gtFine_instanceIds)(\.\d+)?\.png"
)
"""The second half allows for what a writer that was killed leaves behind."""


@dataclass
class ToyCitySpec:
    """What a toy city is made of; two equal specs give equal files.

    Attributes:
        seed: of every random choice, at least 0.
        height: of the images, pixels, 64 to 4096.
        width: of the images, pixels, 64 to 4096.
        train: number of training images, 1 to 500000.
        val: number of validation images, 1 to 500000.

    Raises:
        ConfigError: a value out of its range.
    """

    seed: int = setting(0, between(0, 2**63))
    height: int = setting(160, between(64, 4096))
    width: int = setting(320, between(64, 4096))
    train: int = setting(120, between(1, _FIRST_NUMBER["val"]))
    val: int = setting(40, between(1, _FIRST_NUMBER["val"]))

    def __post_init__(self) -> None:
        """Check the ranges."""
        with errors_below("data.toy"):
            check_settings(self)


@dataclass(frozen=True)
class _Entry:
    split: str
    index: int

    @property
    def image_id(self) -> str:
        return f"toyville_{_FIRST_NUMBER[self.split] + self.index:06d}_000019"

    def paths(self, root: Path) -> tuple[Path, Path, Path]:
        """Image, label ids, instance ids."""
        labels = root / "gtFine" / self.split / "toyville"
        return (
            root / "leftImg8bit" / self.split / "toyville" / f"{self.image_id}_leftImg8bit.png",
            labels / f"{self.image_id}_gtFine_labelIds.png",
            labels / f"{self.image_id}_gtFine_instanceIds.png",
        )


def ensure_toy_city(root: Path, spec: ToyCitySpec, processes: int | None = None) -> None:
    """Make sure that `root` holds the toy city of a spec; draws it if it is not there yet.

    A tree without its seal was interrupted and is drawn again. A sealed tree is taken as it is: files that were
    deleted from it on purpose (the masks, for instance) are not drawn again.

    Args:
        root: top folder of the tree.
        spec: what it should hold.
        processes: how many draw at the same time; by default as many as there are cores and work for them. The files
            do not depend on it.

    Raises:
        DataError: `root` holds the tree of another spec or version, or images and labels of another data set.
    """
    expected = {"format": FORMAT, "version": VERSION, "spec": asdict(spec)}
    seal = root / SEAL
    if seal.exists():
        _check_seal(seal, expected)
        return
    entries = _entries(spec)
    log.info("drawing %d street scenes into %s", len(entries), root.resolve())
    _clear_interrupted(root, entries)
    _draw(root, spec, entries, available_cores() if processes is None else processes)
    write_text_atomically(seal, json.dumps(expected, indent=2) + "\n")


def _entries(spec: ToyCitySpec) -> list[_Entry]:
    return [_Entry(split, index) for split in _SPLITS for index in range(getattr(spec, split))]


def _check_seal(seal: Path, expected: dict[str, object]) -> None:
    try:
        found = json.loads(seal.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{seal}: not readable as the seal of a toy city ({error}); delete {seal.parent}") from error
    if found != expected:
        raise DataError(
            f"{seal.parent} holds another toy city: found {json.dumps(found)}, expected {json.dumps(expected)}; "
            "set data.root to another folder, or delete this one"
        )


def _clear_interrupted(root: Path, entries: list[_Entry]) -> None:
    """Remove our own files of an earlier spec; refuse a folder with anybody else's images or labels."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file; a toy city needs a folder: set data.root to another path")
    wanted = {path for entry in entries for path in entry.paths(root)}
    stale = []
    there = (path for folder in ("leftImg8bit", "gtFine") for path in (root / folder).rglob("*"))
    for path in (path for path in there if not path.is_dir()):
        if not _OUR_FILE.fullmatch(path.relative_to(root).as_posix()):
            raise DataError(
                f"{root} is not a toy city: it holds {path.relative_to(root)} and no {SEAL}; "
                "a toy city is not drawn into another data set: set data.root to another folder"
            )
        if path not in wanted:
            stale.append(path)
    for path in stale:
        path.unlink(missing_ok=True)


def _draw(root: Path, spec: ToyCitySpec, entries: list[_Entry], processes: int) -> None:
    write = partial(_write_entry, root, spec)
    processes = min(processes, len(entries) // _IMAGES_PER_PROCESS)
    if processes < 2:
        for entry in entries:
            write(entry)
        return
    # A forked copy of a process that holds threads can hang; fresh ones cost a second.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_help_drawing) as pool:
        try:
            list(pool.map(write, entries, chunksize=4))
        except (BrokenProcessPool, BrokenPipeError) as error:
            raise DataError(
                f"{root}: a process that draws the toy city failed; start the same command again"
            ) from error


def _help_drawing() -> None:
    """Prepare a process that draws."""
    cv2.setNumThreads(1)
    end_with_parent()


def _write_entry(root: Path, spec: ToyCitySpec, entry: _Entry) -> None:
    rng = np.random.default_rng([spec.seed, _SPLITS.index(entry.split), entry.index])
    scene = draw_scene(rng, spec.height, spec.width)
    image, label_ids, instance_ids = entry.paths(root)
    write_png(image, scene.image)
    write_png(label_ids, scene.label_ids)
    write_png(instance_ids, scene.instance_ids)
