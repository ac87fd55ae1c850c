"""Labels that were made elsewhere, as the labels that training begins with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from weakpan.basics.arrays import IGNORE, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.boxes import number_boxes
from weakpan.data.formats.coco import CocoPanoptic
from weakpan.data.formats.coco_weak import image_names
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels.inputs import LabelInput
from weakpan.labels.instances import UNLABELLED
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.store import LabelStore
from weakpan.storage.images import read_map
from weakpan.tasks.labels import LabelTask, Made


def open_labels(path: Path, catalog: Catalog) -> GivenLabels:
    """Labels in `RUN/round_NN/labels`, a folder of the released layout with `pred_sem_clean`, or a COCO panoptic JSON.

    Raises:
        DataError: none of these.
    """
    if path.is_file():
        return CocoLabels(path, catalog)
    if (path / "pred_sem_clean").is_dir():
        return ReleasedLabelFiles(ReleasedTree(path, "", catalog))
    if any(path.glob("*_semantic.png")):
        return StoredLabels(path, catalog)
    raise DataError(
        "no labels there",
        key="labels_from",
        found=path,
        remedy="give RUN/round_NN/labels, a folder with pred_sem_clean, or a COCO panoptic JSON",
    )


@dataclass(frozen=True)
class StoredLabels:
    """Labels of a round of a run."""

    folder: Path
    catalog: Catalog

    def path(self, image_id: str) -> Path:
        """The semantic map."""
        return LabelStore(self.folder).semantic_path(image_id)

    def read(self, annotation: ImageAnnotation) -> PseudoLabels:
        """The labels of an image; raises DataError."""
        labels = LabelStore(self.folder).read(annotation.image_id)
        self.catalog.check_train_ids(labels.semantic, str(self.path(annotation.image_id)))
        return labels


@dataclass(frozen=True)
class ReleasedLabelFiles:
    """Labels as the authors' released code makes them."""

    tree: ReleasedTree

    def path(self, image_id: str) -> Path:
        """The semantic map."""
        return self.tree.path("semantic", image_id)

    def read(self, annotation: ImageAnnotation) -> PseudoLabels:
        """The labels of an image; raises DataError."""
        semantic_path = self.path(annotation.image_id)
        semantic = self.tree.catalog.check_train_ids(read_map(semantic_path), str(semantic_path))
        path = self.tree.path("instances", annotation.image_id)
        if not path.is_file():
            return PseudoLabels(semantic, np.where(semantic == IGNORE, UNLABELLED, 0).astype(np.int32))
        values = read_map(path)
        instances: InstanceMap = values.astype(np.int32)
        instances[values == np.iinfo(values.dtype).max] = UNLABELLED
        return PseudoLabels(semantic, instances)


@dataclass(frozen=True)
class CocoLabels:
    """Labels as COCO panoptic; each segment of a thing goes to the box of its class that fits it best.

    Attributes:
        file: the JSON; the PNGs lie in the folder beside it that is called like it.
        catalog: class table.
    """

    file: Path
    catalog: Catalog

    @cached_property
    def _coco(self) -> tuple[CocoPanoptic, dict[str, str]]:
        opened = CocoPanoptic(self.file, self.catalog)
        return opened, image_names(opened)

    def path(self, image_id: str) -> Path:  # noqa: ARG002
        """The JSON file."""
        return self.file

    def read(self, annotation: ImageAnnotation) -> PseudoLabels:
        """The labels of an image; raises DataError."""
        opened, names = self._coco
        if annotation.image_id not in names:
            raise DataError(f"no labels of image {annotation.image_id}", path=self.file)
        truth = opened.truth(names[annotation.image_id])
        return PseudoLabels(truth.semantic, by_boxes(truth.semantic, truth.instances, annotation))


GivenLabels = StoredLabels | ReleasedLabelFiles | CocoLabels
"""Labels of an image, from wherever they lie: `path`, a file that must be there, and `read`."""


def by_boxes(semantic: SemanticMap, segments: InstanceMap, annotation: ImageAnnotation) -> InstanceMap:
    """Number the segments of things by the boxes that they belong to.

    Args:
        semantic: (H, W) uint8 train ids, 255 ignored.
        segments: (H, W) int32, 0 for none; of each class apart.
        annotation: boxes, in the order that instance ids follow.

    Returns:
        (H, W) int32, as in `PseudoLabels`; segments that fit no box by an IoU of 0.5 are unlabelled.
    """
    instances = np.where(semantic == IGNORE, UNLABELLED, 0).astype(np.int32)
    numbered = number_boxes(annotation.boxes)
    numbers = segments > 0
    for class_id, segment in np.unique(np.stack([semantic[numbers], segments[numbers]]), axis=1).T.tolist():
        where = (semantic == class_id) & (segments == segment)
        rows, columns = np.nonzero(where)
        around = columns.min(), rows.min(), columns.max(), rows.max()
        best, fitting = 0.5, UNLABELLED
        for entry in numbered:
            iou = _box_iou(around, (entry.box.xmin, entry.box.ymin, entry.box.xmax, entry.box.ymax))
            if entry.box.class_id == class_id and iou >= best:
                best, fitting = iou, entry.instance_id
        instances[where] = fitting
    return instances


def _box_iou(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


@dataclass(frozen=True)
class ImportLabels(LabelTask):
    """The labels of one image, taken over."""

    given: GivenLabels

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        path = self.given.path(image_id)
        return None if path.is_file() else path

    def make(self, image_id: str) -> Made:
        """Read the labels of an image; raises DataError for those of another size."""
        annotation = self.results.annotations.annotation(image_id, None, with_tags=False)
        labels = self.given.read(annotation)
        size = annotation.height, annotation.width
        if labels.semantic.shape != size or labels.instances.shape != size:
            raise DataError(
                f"image {image_id}: labels of {labels.semantic.shape}, its annotation says {size}",
                path=self.given.path(image_id),
            )
        return LabelInput(labels.semantic, None, None, annotation), labels, None
