"""The two layouts that seeds are written in: that of a run folder and that of the released files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from weakpan.basics.arrays import SemanticMap
from weakpan.data.formats.released import ReleasedTree
from weakpan.storage.map_store import MapStore


class SeedPlace(Protocol):
    """Where the seeds of each image lie; travels to worker processes."""

    def path(self, image_id: str, /) -> Path:
        """File of an image."""
        ...

    def write(self, image_id: str, values: SemanticMap, /) -> None:
        """Write the seeds of an image, (H, W) uint8 train ids, 255 unlabelled, atomically."""
        ...

    def extra(self, name: str, /) -> Path:
        """Folder of files beside the maps."""
        ...


@dataclass(frozen=True)
class RunSeeds:
    """Seeds of a run: `RUN/seeds/ID.png`, other files in `RUN/seeds/NAME/`."""

    folder: Path

    def path(self, image_id: str) -> Path:
        """File of an image."""
        return MapStore(self.folder).path(image_id)

    def write(self, image_id: str, values: SemanticMap) -> None:
        """Write the seeds of an image."""
        MapStore(self.folder).write(image_id, values)

    def extra(self, name: str) -> Path:
        """Folder of files beside the maps."""
        return self.folder / name


@dataclass(frozen=True)
class ReleasedSeeds:
    """Seeds as the authors released theirs: `OUT/cam/SPLIT/`, other files in `OUT/cam_NAME/SPLIT/`."""

    tree: ReleasedTree

    def path(self, image_id: str) -> Path:
        """File of an image."""
        return self.tree.cam_path(image_id)

    def write(self, image_id: str, values: SemanticMap) -> None:
        """Write the seeds of an image."""
        self.tree.write_cam(image_id, values)

    def extra(self, name: str) -> Path:
        """Folder of files beside the maps."""
        return self.tree.root / f"cam_{name}" / self.tree.split
