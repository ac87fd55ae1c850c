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
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from weakpan.basics.errors import ConfigError, DataError
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

_SMALLEST_SIDE = 64
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
        height: of the images, pixels, at least 64.
        width: of the images, pixels, at least 64.
        train: number of training images, 1 to 500000.
        val: number of validation images, 1 to 500000.
    """

    seed: int = 0
    height: int = 160
    width: int = 320
    train: int = 120
    val: int = 40

    def __post_init__(self) -> None:
        """Refuse values that no tree can be drawn with."""
        most = _FIRST_NUMBER["val"]
        for key, least, limit in (
            ("seed", 0, 2**63), ("height", _SMALLEST_SIDE, 4096), ("width", _SMALLEST_SIDE, 4096),
            ("train", 1, most), ("val", 1, most),
        ):  # fmt: skip
            value = getattr(self, key)
            if not least <= value <= limit:
                raise ConfigError(f"data.toy.{key}={value}: expected {least} to {limit}")


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
    _draw(root, spec, entries, _cores() if processes is None else processes)
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
    for path in (p for folder in ("leftImg8bit", "gtFine") for p in _files(root / folder)):
        if not _OUR_FILE.fullmatch(path.relative_to(root).as_posix()):
            raise DataError(
                f"{root} is not a toy city: it holds {path.relative_to(root)} and no {SEAL}; "
                "a toy city is not drawn into another data set: set data.root to another folder"
            )
        if path not in wanted:
            stale.append(path)
    for path in stale:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw(root: Path, spec: ToyCitySpec, entries: list[_Entry], processes: int) -> None:
    shares = max(1, min(processes, len(entries) // _IMAGES_PER_PROCESS))
    helpers = [_start_helper(root, spec, share, shares) for share in range(1, shares)]
    try:
        for entry in entries[::shares]:
            _write_entry(root, spec, entry)
        for helper in helpers:
            _, message = helper.communicate()
            if helper.returncode:
                raise DataError(
                    f"{root}: a process that draws the toy city failed:\n{message.decode(errors='replace')}"
                )
    finally:
        for helper in helpers:
            if helper.poll() is None:
                helper.kill()
                helper.communicate()


def _start_helper(root: Path, spec: ToyCitySpec, share: int, shares: int) -> subprocess.Popen[bytes]:
    # Not multiprocessing: its children either inherit the locks of a parent with threads (fork) or import the parent's
    # main script, with everything that it imports, again (spawn). Drawing needs neither.
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    arguments = json.dumps({"root": str(root.resolve()), "spec": asdict(spec), "share": share, "shares": shares})
    return subprocess.Popen(
        [sys.executable, "-m", "weakpan.toy_city.city", arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _write_entry(root: Path, spec: ToyCitySpec, entry: _Entry) -> None:
    rng = np.random.default_rng([spec.seed, _SPLITS.index(entry.split), entry.index])
    scene = draw_scene(rng, spec.height, spec.width)
    image, label_ids, instance_ids = entry.paths(root)
    write_png(image, scene.image)
    write_png(label_ids, scene.label_ids)
    write_png(instance_ids, scene.instance_ids)


def _help_drawing(arguments: str) -> None:
    """Draw every `shares`-th image from number `share` on: what a helper process does."""
    task = json.loads(arguments)
    spec, root = ToyCitySpec(**task["spec"]), Path(task["root"])
    cv2.setNumThreads(1)
    for entry in _entries(spec)[task["share"] :: task["shares"]]:
        _write_entry(root, spec, entry)


if __name__ == "__main__":
    _help_drawing(sys.argv[1])
