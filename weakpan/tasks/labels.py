"""Pseudo labels of one image: merge and clean seeds, or predictions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2

from weakpan.data.annotations import BoxKind
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, PseudoLabels, make_labels
from weakpan.labels.rule import MASKS, SCORE, SEEDS, TAGS
from weakpan.labels.trail import AuditTrail, make_audited_labels
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.coco_parts import CocoParts
from weakpan.tasks.label_audit import LabelAudit
from weakpan.tasks.stores import Labels, Maps

Made = tuple[LabelInput, PseudoLabels, AuditTrail | None]
"""Input, labels and, where labels are audited, the record of how they came about."""


@dataclass(frozen=True)
class WriteLabels:
    """Writes the labels of one image, with what is asked for beside them.

    Attributes:
        annotations: boxes, tags and class table.
        labels: where labels go.
        audit: writes how labels came about; None for not.
        coco: writes the labels as COCO panoptic, too; None for not.
    """

    annotations: AnnotationSource
    labels: Labels
    audit: LabelAudit | None = None
    coco: CocoParts | None = None

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Files of the labels."""
        return self.labels.files(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether everything of an image is there and whole."""
        return (
            self.labels.is_whole(image_id)
            and (self.audit is None or self.audit.has(image_id))
            and (self.coco is None or self.coco.has(image_id))
        )

    def write(self, image_id: str, made: Made) -> Counter[str]:
        """Write the labels of an image; counts pixels, labelled pixels and instance boxes."""
        inp, labels, trail = made
        if self.audit is not None and trail is not None:
            self.audit.write(inp, labels, trail, self.annotations.catalog)
        if self.coco is not None:
            self.coco.write(image_id, labels, self.annotations.catalog)
        self.labels.write(image_id, labels)
        boxes = sum(box.kind is BoxKind.INSTANCE for box in inp.annotation.boxes)
        labelled = int(cv2.countNonZero(labels.semantic ^ 255))
        return Counter({"images": 1, "boxes": boxes, "pixels": labels.semantic.size, "pixels labelled": labelled})


@dataclass(frozen=True)
class LabelTask:
    """Base of the tasks that make or take over the labels of one image."""

    results: WriteLabels

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Files of the labels."""
        return self.results.files(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether everything of an image is there and whole."""
        return self.results.is_done(image_id)

    def write(self, image_id: str, made: Made) -> Counter[str]:
        """Write the labels of an image; counts pixels, labelled pixels and instance boxes."""
        return self.results.write(image_id, made)


@dataclass(frozen=True)
class MakeLabels(LabelTask):
    """The labels of one image, from file to file.

    Attributes:
        predictions: seeds of round 0, or predictions of a network.
        scores: tree with the scores of the predictions; None in round 0.
        masks: masks in boxes.
        rules: between a prediction and a label.
        round_index: 0 starts from seeds.
        seeds: what round 0 starts from, for rules that need them later.
    """

    predictions: Maps
    scores: ReleasedTree | None
    masks: Maps
    rules: LabelRules
    round_index: int
    seeds: Maps

    def missing(self, image_id: str) -> Path | None:
        """A file that the labels of an image need and that is not there."""
        needs = self._needs
        needed = [self.predictions.path(image_id)]
        if SCORE in needs and self.scores is not None:
            needed.append(self.scores.path("scores", image_id))
        if MASKS in needs:
            needed.append(self.masks.path(image_id))
        if SEEDS in needs:
            needed.append(self.seeds.path(image_id))
        absent = next((path for path in needed if not path.is_file()), None)
        return absent or self.results.annotations.missing(image_id, with_tags=TAGS in needs)

    @property
    def _needs(self) -> frozenset[str]:
        return self.rules.needs(self.round_index, on_maps_only=True)

    def read(self, image_id: str) -> LabelInput:
        """Everything that the labels of an image are made from; raises DataError."""
        needs, prediction = self._needs, self.predictions.read(image_id)
        size = prediction.shape[0], prediction.shape[1]
        return LabelInput(
            prediction=prediction,
            score=self.scores.scores(image_id, size) if SCORE in needs and self.scores is not None else None,
            masks=self.masks.read(image_id) if MASKS in needs else None,
            annotation=self.results.annotations.annotation(image_id, size, with_tags=TAGS in needs),
            seeds=self.seeds.read(image_id) if SEEDS in needs else None,
        )

    def make(self, image_id: str) -> Made:
        """Make the labels of an image."""
        inp, source = self.read(image_id), self.results.annotations
        case = inp, self.rules, source.catalog, source.grid, self.round_index
        if self.results.audit is None:
            return inp, make_labels(*case), None
        return inp, *make_audited_labels(*case)
