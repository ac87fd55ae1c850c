"""Pictures of the cues that are farthest from the ground truth, made from the files of the stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weakpan.audit.scored_images import ScoredImages
from weakpan.basics.arrays import IGNORE, RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import BoxKind
from weakpan.evaluation.box_scores import PERFECT
from weakpan.evaluation.box_summary import AuditedBox
from weakpan.evaluation.real_instances import find_instances, match_boxes
from weakpan.masks.result import Fallback
from weakpan.report.pictures import color_masks, color_semantic, draw_boxes, overlay_heatmap
from weakpan.report.worst_cases import BoxCase, box_sheet, color_real_things, image_sheet, mask_of
from weakpan.seeds.heatmaps import HeatmapFolder
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.tasks.stores import Maps

HEATMAPS = 3
"""At most so many classes of an image are shown, as many as there are pictures in a row."""


def draw_worst_boxes(boxes: Sequence[AuditedBox], weak: AnnotationSource, real: ScoredImages, maps: Maps) -> RGBImage:
    """The image around each box, which has a real instance, and the outlines of its mask and its real instance."""
    cases = []
    for found in boxes:
        box, image_id = found.score.box, found.image_id
        instances = find_instances(real.panoptic(image_id), real.catalog)
        position = match_boxes(weak.boxes(image_id)[1], instances.boxes)[found.score.index]
        why = "" if found.fallback == Fallback.NOT_NEEDED else f" ({found.fallback})"
        size = f"{box.ymax - box.ymin + 1} x {box.xmax - box.xmin + 1}"
        best = found.score.counts[PERFECT].iou
        ious = f"IoU {found.iou:.2f}, at best {best:.2f}"
        captions = (f"{found.class_name}{why}", ious, image_id, f"box {found.score.index}, {size}")
        cases.append(
            BoxCase(
                captions,
                real.image(image_id),
                box,
                mask_of(maps.read(image_id), box),
                instances.positions == position + 1,
            )
        )
    return box_sheet(cases)


def draw_worst_masks(
    images: Sequence[tuple[str, float]], weak: AnnotationSource, real: ScoredImages, maps: Maps
) -> RGBImage:
    """Image with boxes, masks in boxes and real things of each image, above which the mean IoU of its boxes is told."""
    rows, seen = [], set[int]()
    for image_id, iou in images:
        image, truth = real.image(image_id), real.panoptic(image_id)
        boxes = [b for b in weak.boxes(image_id)[1] if b.kind is not BoxKind.STUFF]
        seen |= {*np.unique(maps.read(image_id)).tolist(), *np.unique(truth.semantic).tolist()}
        seen |= {box.class_id for box in boxes}
        rows.append([
            (f"{image_id}: mean IoU {iou:.2f}", draw_boxes(image, boxes, real.catalog)),
            ("masks in boxes; grey: no thing", color_masks(maps.read(image_id), real.catalog)),
            ("real things, in shades of their class", color_real_things(truth, real.catalog)),
        ])  # fmt: skip
    return image_sheet(rows, _of_legend(seen & set(real.catalog.thing_ids), real.catalog))


def draw_worst_seeds(
    images: Sequence[tuple[str, float | None]], real: ScoredImages, maps: Maps, heatmaps: HeatmapFolder
) -> RGBImage:
    """Image, seeds and real classes of each image, above the heatmaps of the classes that are most wrong.

    Images are told with the precision of their labels, None for one without a label; those whose heatmaps are not
    there, or damaged, do without.
    """
    rows, seen = [], set[int]()
    for image_id, precision in images:
        cam, classes, image = maps.read(image_id), real.classes(image_id), real.image(image_id)
        seen |= {*np.unique(cam).tolist(), *np.unique(classes).tolist()}
        labelled = np.mean(cam[classes != IGNORE] != IGNORE)
        said = "no label" if precision is None else f"{precision:.0%} of the labels right"
        rows.append([
            (f"{image_id}: {said}", image),
            (f"seeds: {labelled:.0%} labelled", color_semantic(cam, real.catalog)),
            ("ground truth", color_semantic(classes, real.catalog)),
        ])  # fmt: skip
        if heatmaps.has(image_id):
            kept = heatmaps.read(image_id)
            shown = _most_wrong(cam, classes, kept.classes)
            said = "for it orange, against it blue"
            pictures = [
                (f"{real.catalog.names[class_id]}: {said}", overlay_heatmap(image, values))
                for class_id, values in zip(shown, kept.only(shown).signed(), strict=True)
            ]
            rows += [pictures] if pictures else []
    return image_sheet(rows, _of_legend(seen, real.catalog))


def _of_legend(train_ids: set[int], catalog: Catalog) -> Catalog:
    """The classes of the legend: those that occur in the pictures."""
    names = [name for class_id, name in enumerate(catalog.names) if class_id in train_ids]
    return catalog.subset("legend", names or catalog.names)


def _most_wrong(cam: SemanticMap, classes: SemanticMap, among: Sequence[int]) -> list[int]:
    """Up to `HEATMAPS` train ids, those with most pixels that wrongly have, or lack, their label."""
    wrong = (cam != classes) & (classes != IGNORE)
    pixels = {k: int(np.count_nonzero(wrong & ((cam == k) | (classes == k)))) for k in among}
    worst = sorted((k for k in among if pixels[k] > 0), key=lambda k: -pixels[k])
    return worst[:HEATMAPS]
