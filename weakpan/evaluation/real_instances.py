"""The real instances of an image, and which of them a weak box speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import find_regions

MIN_BOX_IOU = 0.5
"""A box speaks of an instance from this IoU with the box around it on, as detections are matched in PASCAL VOC."""


@dataclass(frozen=True)
class RealInstances:
    """The instances of things in an image, by class and number.

    Attributes:
        boxes: (N,) around the visible pixels of each.
        areas: (N,) visible pixels of each.
        positions: (H, W) int32, k + 1 on the pixels of the k-th, 0 on everything else.
    """

    boxes: tuple[Box, ...]
    areas: tuple[int, ...]
    positions: npt.NDArray[np.int32]


def find_instances(truth: PanopticTruth, catalog: Catalog) -> RealInstances:
    """Find the instances in ground truth; group regions, stuff and ignored pixels are none."""
    boxes, regions = find_regions(truth.semantic, truth.instances, catalog)
    ours = tuple(box for box in boxes if box.kind is BoxKind.INSTANCE)
    positions = np.maximum(regions - (len(boxes) - len(ours)), 0)
    return RealInstances(ours, tuple(np.bincount(positions.ravel(), minlength=len(ours) + 1)[1:].tolist()), positions)


def match_boxes(boxes: Sequence[Box], instances: Sequence[Box], min_iou: float = MIN_BOX_IOU) -> dict[int, int]:
    """Give each instance box the real instance that it was drawn around.

    Pairs of one class are taken from the highest IoU of their boxes down, each box and each instance once; equal pairs
    in the order of the boxes, then of the instances. A box that was derived from an instance has an IoU of 1 with it.

    Args:
        boxes: of the weak annotation, of any kind; those of groups and of stuff match nothing.
        instances: around the real instances.
        min_iou: least IoU of a pair, 0..1.

    Returns:
        Position of the instance by position of the box; boxes without an instance are left out.
    """
    pairs = []
    for k, box in enumerate(boxes):
        if box.kind is not BoxKind.INSTANCE:
            continue
        for n, instance in enumerate(instances):
            if instance.class_id == box.class_id and (iou := box.iou(instance)) >= min_iou:
                pairs.append((-iou, k, n))
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, k, n in sorted(pairs):
        if k not in matched and n not in taken:
            matched[k] = n
            taken.add(n)
    return matched
