"""Label making the obvious way: whole-image masks, one statement a rule. Slow, and the reference for the fast one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from weakpan.basics.arrays import BoolMask, FloatMap, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import Box
from weakpan.data.crops import Crop, CropGrid
from weakpan.labels import BoxPrior, LowIouFill, MaskMerge, Rule, ScoreThreshold, TagCheck
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules

Ids = Iterable[int]


def plain_score_threshold(
    label: SemanticMap, score: FloatMap, threshold: float, kept_share: float = 0.0
) -> SemanticMap:
    if kept_share == 0:
        return np.where(score < np.float32(threshold), 255, label).astype(np.uint8)
    result = label.copy()
    for class_id in set(label.ravel().tolist()) - {255}:
        of_class = label == class_id
        levels = np.floor(score[of_class] * 1024)
        enough = max(v for v in levels if (levels >= v).sum() >= kept_share * levels.size)
        result[of_class & (score < min(np.float32(threshold), enough / 1024))] = 255
    return result


def plain_tag_check(label: SemanticMap, crops: Iterable[Crop], tags: Iterable[Ids]) -> SemanticMap:
    result = label.copy()
    for crop, tag in zip(crops, tags, strict=True):
        in_crop = inside(label.shape, crop.left, crop.top, crop.right - 1, crop.bottom - 1)
        result[in_crop & ~np.isin(label, list(tag))] = 255
    return result


def plain_mask_merge(label: SemanticMap, masks: SemanticMap, thing_ids: Sequence[int]) -> SemanticMap:
    mask_is_thing, label_is_thing = np.isin(masks, thing_ids), np.isin(label, thing_ids)
    return np.where(mask_is_thing, masks, np.where(label_is_thing, 255, label)).astype(np.uint8)


def plain_box_prior(label: SemanticMap, boxes: Iterable[Box], thing_ids: Sequence[int]) -> SemanticMap:
    result = label.copy()
    for class_id in thing_ids:
        union = np.zeros(label.shape, bool)
        for box in boxes:
            if box.class_id == class_id:
                union |= inside(label.shape, box.xmin, box.ymin, box.xmax, box.ymax)
        result[(label == class_id) & ~union] = 255
    return result


def plain_low_iou_fill(
    label: SemanticMap, boxes: Sequence[Box], thing_ids: Sequence[int], threshold: float, over_things: bool
) -> SemanticMap:
    result = label.copy()
    weak = ~np.isin(label, thing_ids)
    order = sorted(range(len(boxes)), key=lambda i: (-boxes[i].area, i))
    for box in (boxes[i] for i in order):
        if box.kind != "instance":
            continue
        in_box = inside(label.shape, box.xmin + 1, box.ymin + 1, box.xmax, box.ymax)
        of_class = label == box.class_id
        if not in_box.any() or (in_box & of_class).sum() / in_box.sum() >= threshold:
            continue
        result[in_box & ~of_class & (weak | over_things)] = box.class_id
    return result


def plain_instances(label: SemanticMap, boxes: Iterable[Box]) -> InstanceMap:
    result = np.where(label == 255, -1, 0).astype(np.int32)
    seen: set[tuple[int, int, int, int, int]] = set()
    instance_id = 0
    for box in boxes:
        key = (box.class_id, box.xmin, box.ymin, box.xmax, box.ymax)
        repeated = key in seen
        seen.add(key)
        if box.kind == "group" or repeated:
            continue
        instance_id += 1
        pixels = inside(label.shape, *key[1:]) & (label == box.class_id)
        free = result == 0
        result[pixels & free] = instance_id
        result[pixels & ~free] = -1
    return result


def plain_labels(
    inp: LabelInput, rules: LabelRules, catalog: Catalog, grid: CropGrid, round_index: int
) -> tuple[SemanticMap, InstanceMap]:
    label, boxes, things = inp.prediction, inp.annotation.boxes, list(catalog.thing_ids)
    for rule in plain_rules(rules, round_index).values():
        match rule:
            case ScoreThreshold(minimum, kept_share) if inp.score is not None:
                label = plain_score_threshold(label, inp.score, minimum, kept_share)
            case TagCheck():
                label = plain_tag_check(label, grid.crops(*label.shape), inp.annotation.tags)
            case MaskMerge() if inp.masks is not None:
                label = plain_mask_merge(label, inp.masks, things)
            case BoxPrior():
                label = plain_box_prior(label, boxes, things)
            case LowIouFill(threshold, over_things):
                label = plain_low_iou_fill(label, boxes, things, threshold, over_things)
    instances = plain_instances(label, boxes) if rules.instances else np.full(label.shape, -1, np.int32)
    return label, instances


def plain_rules(rules: LabelRules, round_index: int) -> dict[str, Rule]:
    """The published rules among them that apply in a round."""
    applied = dict(rules.rules)
    for name, rule in rules.rules.items():
        seeds_have_no_scores = isinstance(rule, ScoreThreshold) and round_index == 0
        network_is_better = isinstance(rule, MaskMerge) and round_index > rule.last_round
        if seeds_have_no_scores or network_is_better:
            del applied[name]
    return applied


def inside(shape: tuple[int, ...], xmin: int, ymin: int, xmax: int, ymax: int) -> BoolMask:
    """(H, W) mask of a box with inclusive corners."""
    mask = np.zeros(shape, bool)
    mask[ymin : ymax + 1, xmin : xmax + 1] = True
    return mask
