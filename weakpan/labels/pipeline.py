"""Pseudo labels of one image: the rules in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from weakpan.basics.arrays import InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.data.crops import CropGrid, Tile
from weakpan.labels.box_prior import drop_things_outside_boxes
from weakpan.labels.inputs import LabelInput, check_input
from weakpan.labels.instances import UNLABELLED, label_instances
from weakpan.labels.low_iou_fill import fill_sparse_boxes
from weakpan.labels.mask_merge import merge_masks
from weakpan.labels.score_threshold import drop_low_scores
from weakpan.labels.settings import LabelSettings
from weakpan.labels.tag_check import drop_untagged

__all__ = ["LabelInput", "LabelSettings", "PseudoLabels", "make_labels"]


@dataclass(frozen=True)
class PseudoLabels:
    """Labels that a network is trained on.

    Attributes:
        semantic: (H, W) uint8 train ids, 255 ignored.
        instances: (H, W) int32: 0 no instance, k >= 1 the k-th box (see `number_boxes`), -1 unlabelled. Pixels that are
            255 in `semantic` are -1; the reverse does not hold.
    """

    semantic: SemanticMap
    instances: InstanceMap


def make_labels(
    inp: LabelInput,
    settings: LabelSettings,
    catalog: Catalog,
    grid: CropGrid,
    round_index: int,
    trace: Callable[[str, SemanticMap], None] | None = None,
) -> PseudoLabels:
    """Make the pseudo labels of one image for one round of training.

    Args:
        inp: prediction, scores, masks in boxes and weak annotation; none of it is changed.
        settings: which steps, and their thresholds.
        catalog: the class table that all train ids belong to.
        grid: the crop grid that the annotation's tags belong to.
        round_index: 0 when the prediction comes from CAMs (then no score threshold applies), r >= 1 when it comes from
            the r-th trained network.
        trace: called with the name of each step and the (H, W) map after it, in order, for pictures. A step that does
            not apply in this round is not reported. The maps must not be changed.

    Returns:
        Labels of the image's size, in new arrays.

    Raises:
        DataError: input that does not fit together; the message names the image.
        ValueError: a negative round.
    """
    if round_index < 0:
        raise ValueError(f"round_index={round_index}: rounds count from 0")
    steps = settings.steps_in_round(round_index)
    tiles = grid.tiles(inp.annotation.height, inp.annotation.width)
    check_input(inp, steps, catalog, tiles)
    semantic = inp.prediction
    for step in steps:
        semantic = _apply(step, semantic, inp, settings, catalog, tiles)
        if trace is not None:
            trace(step, semantic)
    if semantic is inp.prediction:
        semantic = semantic.copy()
    if settings.instances:
        instances = label_instances(semantic, inp.annotation.boxes)
    else:
        instances = np.full(semantic.shape, UNLABELLED, np.int32)
    return PseudoLabels(semantic, instances)


def _apply(
    step: str,
    semantic: SemanticMap,
    inp: LabelInput,
    settings: LabelSettings,
    catalog: Catalog,
    tiles: tuple[Tile, ...],
) -> SemanticMap:
    boxes = inp.annotation.boxes
    match step:
        case "score_threshold" if inp.score is not None:
            return drop_low_scores(semantic, inp.score, settings.score_threshold, settings.kept_share)
        case "tag_check":
            return drop_untagged(semantic, tiles, inp.annotation.tags)
        case "mask_merge" if inp.masks is not None:
            return merge_masks(semantic, inp.masks, catalog.is_thing)
        case "box_prior":
            return drop_things_outside_boxes(semantic, boxes, catalog.is_thing)
        case "low_iou_fill":
            return fill_sparse_boxes(
                semantic, boxes, catalog.is_thing, settings.fill_threshold, settings.fill_over_things
            )
    raise AssertionError(f"step {step} has no rule or no input; settings and input are checked before")
