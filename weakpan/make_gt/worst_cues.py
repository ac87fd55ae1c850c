"""Pictures of the cues that are farthest from the real labels, made from the files of the stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weakpan.arrays import IGNORE, RGBImage
from weakpan.cues.box_masks import Fallback
from weakpan.data.annotations import BoxKind
from weakpan.data.released import ReleasedTree
from weakpan.evaluation.box_scores import PERFECT
from weakpan.evaluation.box_summary import AuditedBox
from weakpan.evaluation.real_instances import find_instances, match_boxes
from weakpan.make_gt.real_labels import RealLabels
from weakpan.make_gt.weak_source import WeakSource
from weakpan.report.pictures import color_masks, color_semantic, draw_boxes
from weakpan.report.worst_cases import BoxCase, box_sheet, color_real_things, image_sheet, mask_of


def draw_worst_boxes(boxes: Sequence[AuditedBox], weak: WeakSource, real: RealLabels, tree: ReleasedTree) -> RGBImage:
    """The photograph around each box, and the outlines of its mask and its real instance.

    Args:
        boxes: with a real instance each.
        weak: all boxes of their images, which instances are divided among.
        real: labels and photographs.
        tree: maps of masks.
    """
    cases = []
    for found in boxes:
        box, image_id = found.score.box, found.image_id
        instances = find_instances(real.truth(image_id), real.catalog)
        position = match_boxes(weak.boxes(image_id)[1], instances.boxes)[found.score.index]
        why = "" if found.fallback == Fallback.NOT_NEEDED else f" ({found.fallback})"
        size = f"{box.ymax - box.ymin + 1} x {box.xmax - box.xmin + 1}"
        best = found.score.counts[PERFECT].iou
        ious = f"IoU {found.iou:.2f}, at best {best:.2f}"
        captions = (f"{found.class_name}{why}", ious, image_id, f"box {found.score.index}, {size}")
        cases.append(
            BoxCase(
                captions,
                real.photograph(image_id),
                box,
                mask_of(tree.masks(image_id), box),
                instances.positions == position + 1,
            )
        )
    return box_sheet(cases)


def draw_worst_masks(
    images: Sequence[tuple[str, float]], weak: WeakSource, real: RealLabels, tree: ReleasedTree
) -> RGBImage:
    """Photograph with boxes, masks in boxes and real things of each image.

    Args:
        images: ids and mean IoU of their boxes.
        weak: boxes.
        real: labels and photographs.
        tree: maps of masks.
    """
    rows = []
    for image_id, iou in images:
        image, truth = real.photograph(image_id), real.truth(image_id)
        boxes = [b for b in weak.boxes(image_id)[1] if b.kind is not BoxKind.STUFF]
        rows.append([
            (f"{image_id}: mean IoU {iou:.2f}", draw_boxes(image, boxes, real.catalog)),
            ("masks in boxes", color_masks(tree.masks(image_id), real.catalog)),
            ("real things", color_real_things(truth, real.catalog)),
        ])  # fmt: skip
    return image_sheet(rows, real.catalog.subset("things", [real.catalog.names[k] for k in real.catalog.thing_ids]))


def draw_worst_cams(images: Sequence[tuple[str, float | None]], real: RealLabels, tree: ReleasedTree) -> RGBImage:
    """Photograph, CAM label map and real classes of each image.

    Args:
        images: ids and precision of their labels, None for an image without a label.
        real: labels and photographs.
        tree: CAM label maps.
    """
    rows = []
    for image_id, precision in images:
        cam, classes = tree.cam(image_id), real.classes(image_id)
        labelled = np.mean(cam[classes != IGNORE] != IGNORE)
        said = "no label" if precision is None else f"{precision:.0%} of the labels right"
        rows.append([
            (f"{image_id}: {said}", real.photograph(image_id)),
            (f"CAM labels: {labelled:.0%} labelled", color_semantic(cam, real.catalog)),
            ("real labels", color_semantic(classes, real.catalog)),
        ])  # fmt: skip
    return image_sheet(rows, real.catalog)
