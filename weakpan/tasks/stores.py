"""Where the results of every stage lie: in a run folder, or in the layout that the authors released theirs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakpan.basics.arrays import SemanticMap
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels.encode import to_png16, to_released_8bit
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.storage.images import is_whole
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import MapStore
from weakpan.storage.records import JsonRecords
from weakpan.storage.stage_record import StageRecord
from weakpan.tasks.mask_records import mask_records

LARGEST_8BIT = 254
"""Instance ids up to this one fit the 8 bits of the released format."""


@dataclass(frozen=True)
class ReleasedMaps:
    """Maps of one kind in the released layout: `cam`, `masks` or `prediction`."""

    tree: ReleasedTree
    kind: str

    def path(self, image_id: str) -> Path:
        """File of an image."""
        return self.tree.path(self.kind, image_id)

    def read(self, image_id: str) -> SemanticMap:
        """The map of an image: (H, W) uint8; raises DataError for a file that is missing or damaged."""
        return self.tree.read(self.kind, image_id)

    def write(self, image_id: str, values: SemanticMap) -> None:
        """Write the map of an image."""
        self.tree.write(self.kind, image_id, values)


@dataclass(frozen=True)
class ReleasedLabels:
    """Pseudo labels in the released layout: `pred_sem_clean` and, where they are made, `pred_ins_clean`."""

    tree: ReleasedTree
    instances: bool

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Files of an image."""
        semantic = self.tree.path("semantic", image_id)
        return (semantic, self.tree.path("instances", image_id)) if self.instances else (semantic,)

    def is_whole(self, image_id: str) -> bool:
        """Whether all files of an image are there and whole."""
        return all(map(is_whole, self.files(image_id)))

    def write(self, image_id: str, labels: PseudoLabels) -> None:
        """Write the labels of an image; more instances than 8 bits hold take 16."""
        if self.instances:
            fits = labels.instances.max(initial=0) <= LARGEST_8BIT
            encode = to_released_8bit if fits else to_png16
            self.tree.write_instances(image_id, encode(labels.instances))
        self.tree.write("semantic", image_id, labels.semantic)


Maps = MapStore | ReleasedMaps
"""A label map an image: (H, W) uint8."""

Labels = LabelStore | ReleasedLabels
"""Pseudo labels of an image."""


@dataclass(frozen=True)
class RunStores:
    """Stores of a run folder of train.py."""

    layout: RunLayout

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.layout.folder

    @property
    def masks(self) -> MapStore:
        """Masks in boxes: train ids of things, 254 no thing here, 255 undecided."""
        return MapStore(self.layout.masks)

    @property
    def mask_records(self) -> JsonRecords:
        """Outcome of each box."""
        return mask_records(self.layout.mask_records)

    @property
    def seeds(self) -> MapStore:
        """Label maps that tags give: train ids, 255 undecided."""
        return MapStore(self.layout.seeds)

    def beside_seeds(self, name: str) -> Path:
        """Folder of files that are kept beside the seeds, `heatmaps` for instance."""
        return self.layout.seeds / name

    def labels(self, round_index: int) -> LabelStore:
        """Pseudo labels of a round."""
        return LabelStore(self.layout.round(round_index).labels)

    def labels_export(self, round_index: int) -> Path:
        """Folder of pseudo labels as COCO panoptic; the JSON lies beside it."""
        return self.layout.round(round_index).folder / "panoptic"

    def audit(self, stage: str, round_index: int = 0) -> Path:
        """Folder of the audit of a stage."""
        return self.layout.round(round_index).folder / "audit" if stage == "labels" else self.layout.audit / stage

    def record(
        self, stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str] | None = None, round_index: int = 0
    ) -> StageRecord:
        """Settings and seal of a stage, in the folder of its results."""
        folder = self.layout.stage(stage, round_index)
        return StageRecord(stage, folder / "settings.json", folder / "manifest.json", settings, inputs or {})


@dataclass(frozen=True)
class ReleasedStores:
    """Stores in the layout that the authors released theirs in."""

    tree: ReleasedTree
    instances: bool = True

    @property
    def folder(self) -> Path:
        """Root of the tree."""
        return self.tree.root

    @property
    def masks(self) -> ReleasedMaps:
        """Masks in boxes."""
        return ReleasedMaps(self.tree, "masks")

    @property
    def mask_records(self) -> JsonRecords:
        """Outcome of each box."""
        return mask_records(self.folder / "mcg_and_grabcut_records" / self.tree.split)

    @property
    def seeds(self) -> ReleasedMaps:
        """CAM label maps."""
        return ReleasedMaps(self.tree, "cam")

    def beside_seeds(self, name: str) -> Path:
        """Folder of files that are kept beside the seeds."""
        return self.folder / f"cam_{name}" / self.tree.split

    def labels(self, round_index: int) -> ReleasedLabels:  # noqa: ARG002 - a folder holds the labels of one round
        """Pseudo labels."""
        return ReleasedLabels(self.tree, self.instances)

    def labels_export(self, round_index: int) -> Path:  # noqa: ARG002
        """Folder of pseudo labels as COCO panoptic."""
        return self.folder / "panoptic"

    def audit(self, stage: str, round_index: int = 0) -> Path:  # noqa: ARG002
        """Folder of the audit of a stage."""
        return self.folder / "audit" / stage

    def record(
        self,
        stage: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str] | None = None,
        round_index: int = 0,  # noqa: ARG002
    ) -> StageRecord:
        """Settings and seal of a stage, in the root of the tree: its folders hold nothing but images."""
        root = self.folder
        return StageRecord(stage, root / f"{stage}.settings.json", root / f"{stage}.json", settings, inputs or {})


Stores = RunStores | ReleasedStores
"""Where the results of all stages lie."""
