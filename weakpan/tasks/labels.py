"""Stage `labels`: merge and clean predictions, or CAM maps, into pseudo labels in the authors' released format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2

from weakpan.data.annotations import BoxKind
from weakpan.data.formats.released import ReleasedTree
from weakpan.labels.encode import to_png16, to_released_8bit
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import make_labels
from weakpan.labels.settings import LabelSettings
from weakpan.labels.trail import make_audited_labels
from weakpan.storage.images import is_whole
from weakpan.tasks.claim import Claim
from weakpan.tasks.coco_parts import CocoParts
from weakpan.tasks.label_audit import LabelAudit
from weakpan.tasks.weak_source import WeakSource

LARGEST_8BIT = 254
"""Instance ids up to this one fit the 8 bits of the released format."""


@dataclass(frozen=True)
class MakeLabels:
    """The labels of one image, from file to file.

    Attributes:
        weak: boxes and tags.
        cues: CAM maps, masks in boxes, predictions and scores.
        out: where results go.
        settings: of the rules.
        round_index: 0 starts from CAM maps.
        audit: writes how each image's labels came about; None for not.
        coco: writes the labels as COCO panoptic too; None for not.
        claim: makes the settings those of the folder with the first result; None leaves settings unkept.
    """

    weak: WeakSource
    cues: ReleasedTree
    out: ReleasedTree
    settings: LabelSettings
    round_index: int
    audit: LabelAudit | None = None
    coco: CocoParts | None = None
    claim: Claim | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The rules that apply."""
        return self.settings.steps_in_round(self.round_index)

    def inputs(self, image_id: str) -> list[Path]:
        """Files of the cues that the rules of this round read."""
        needed = [self.cues.cam_path(image_id) if self.round_index == 0 else self.cues.prediction_path(image_id)]
        if "score_threshold" in self.steps:
            needed.append(self.cues.scores_path(image_id))
        if "mask_merge" in self.steps:
            needed.append(self.cues.masks_path(image_id))
        return needed

    def missing(self, image_id: str) -> Path | None:
        """A file that the labels of an image need and that is not there."""
        absent = next((path for path in self.inputs(image_id) if not path.is_file()), None)
        if absent is None and "tag_check" in self.steps:
            absent = self.weak.missing_tags(image_id)
        return absent or self.weak.missing_boxes(image_id)

    def is_done(self, image_id: str) -> bool:
        """Whether the results of an image are there and whole."""
        semantic, instances = self.out.semantic_path(image_id), self.out.instances_path(image_id)
        return (
            is_whole(semantic)
            and (not self.settings.instances or is_whole(instances))
            and (self.audit is None or self.audit.has(image_id))
            and (self.coco is None or self.coco.has(image_id))
        )

    def read(self, image_id: str) -> LabelInput:
        """Everything that the labels of an image are made from; raises DataError."""
        steps = self.steps
        prediction = self.cues.cam(image_id) if self.round_index == 0 else self.cues.prediction(image_id)
        size = prediction.shape[0], prediction.shape[1]
        return LabelInput(
            prediction=prediction,
            score=self.cues.scores(image_id, size) if "score_threshold" in steps else None,
            masks=self.cues.masks(image_id) if "mask_merge" in steps else None,
            annotation=self.weak.annotation(image_id, size, with_tags="tag_check" in steps),
        )

    def __call__(self, image_id: str) -> Counter[str]:
        """Make and write the labels of an image; counts pixels, labelled pixels and instance boxes."""
        inp = self.read(image_id)
        catalog, case = self.weak.catalog, (inp, self.settings, self.weak.catalog, self.weak.grid, self.round_index)
        trail = None
        if self.audit is None:
            labels = make_labels(*case)
        else:
            labels, trail = make_audited_labels(*case)
        if self.claim is not None:
            self.claim()
        if self.audit is not None and trail is not None:
            self.audit.write(inp, labels, trail, catalog)
        if self.coco is not None:
            self.coco.write(image_id, labels, catalog)
        if self.settings.instances:
            fits = labels.instances.max(initial=0) <= LARGEST_8BIT
            self.out.write_instances(
                image_id, to_released_8bit(labels.instances) if fits else to_png16(labels.instances)
            )
        self.out.write_semantic(image_id, labels.semantic)
        return Counter(
            images=1,
            pixels=labels.semantic.size,
            labelled=int(cv2.countNonZero(labels.semantic ^ 255)),
            boxes=sum(box.kind is BoxKind.INSTANCE for box in inp.annotation.boxes),
        )
