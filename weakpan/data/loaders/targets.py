"""Labels as the segmenter is trained on them: semantic map, centre heatmap and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import BoolMask, FloatMap, InstanceMap, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticTruth
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.boxes import find_regions, number_boxes
from weakpan.data.loaders.transforms import View


@dataclass(frozen=True)
class LabelledImage:
    """Labels of one image, real or made.

    Attributes:
        semantic: (H, W) train ids, 255 unlabelled.
        instances: (H, W) int32; k >= 1 is the instance of `instance_boxes[k]`, anything else none.
        instance_boxes: boxes of instances of things, by the id that they have in `instances`. A box may have no pixel.
        group_boxes: boxes of crowds, in which nothing is known about centres.
    """

    semantic: SemanticMap
    instances: InstanceMap
    instance_boxes: dict[int, Box]
    group_boxes: tuple[Box, ...]


def label_pseudo(semantic: SemanticMap, instances: InstanceMap, boxes: Sequence[Box]) -> LabelledImage:
    """Pseudo labels whose instance ids follow the boxes of the weak annotation."""
    things = {k: box for k, box in number_boxes(boxes) if box.kind is BoxKind.INSTANCE}
    groups = tuple(box for box in boxes if box.kind is BoxKind.GROUP)
    return LabelledImage(semantic, instances, things, groups)


def label_truth(truth: PanopticTruth, catalog: Catalog) -> LabelledImage:
    """Ground truth in the same form; ids are given anew, since real numbers may repeat between classes."""
    boxes, regions = find_regions(truth.semantic, truth.instances, catalog)
    groups = tuple(box for box in boxes if box.kind is BoxKind.GROUP)
    in_order = [box for box in boxes if box.kind is BoxKind.INSTANCE]
    instances = np.maximum(regions - (len(boxes) - len(in_order)), 0)
    return LabelledImage(truth.semantic, instances, dict(enumerate(in_order, start=1)), groups)


@dataclass(frozen=True)
class InstanceTargets:
    """Targets of the instance head on a view (h, w).

    Attributes:
        centre: (h, w) float32, a Gaussian of height 1 at the centre of every box.
        centre_known: (h, w), False in group boxes and in the padding.
        offset: (2, h, w) float32, (dy, dx) from a pixel to the centre of its instance, in pixels of the view.
        offset_known: (h, w), True on pixels of instances.
    """

    centre: FloatMap
    centre_known: BoolMask
    offset: npt.NDArray[np.float32]
    offset_known: BoolMask


def instance_targets(label: LabelledImage, view: View, sigma: float) -> InstanceTargets:
    """Centre heatmap and offsets (Cheng et al., CVPR 2020), around box centres, on a view of a label.

    The middle of the box stands for the centre of mass, because the box is what weak supervision knows exactly. `sigma`
    is the standard deviation of the Gaussians, pixels of the view.
    """
    rows, columns = view.rows, view.columns
    height, width = len(rows), len(columns)
    centre = np.zeros((height, width), np.float32)
    ids = view.label(label.instances, 0)
    largest = max(label.instance_boxes, default=0)
    positions = np.zeros((largest + 1, 2), np.float32)
    has_box = np.zeros(largest + 1, bool)
    for k, box in label.instance_boxes.items():
        positions[k] = view.point((box.ymin + box.ymax) / 2, (box.xmin + box.xmax) / 2)
        has_box[k] = True
        _add_gaussian(centre, positions[k], sigma)
    ids[(ids < 0) | (ids > largest)] = 0
    offset_known: BoolMask = has_box[ids]
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float32)
    offset = np.where(offset_known, np.moveaxis(positions[ids], -1, 0) - grid, 0).astype(np.float32)
    known = np.outer(rows >= 0, columns >= 0)
    for box in label.group_boxes:
        inside_rows = (rows >= box.ymin) & (rows <= box.ymax)
        known[np.outer(inside_rows, (columns >= box.xmin) & (columns <= box.xmax))] = False
    return InstanceTargets(centre, known, offset, offset_known)


def _add_gaussian(heatmap: FloatMap, position: npt.NDArray[np.float32], sigma: float) -> None:
    height, width = heatmap.shape
    reach = 3 * sigma
    top, left = (max(0, int(p - reach)) for p in position)
    bottom, right = min(height, int(position[0] + reach) + 2), min(width, int(position[1] + reach) + 2)
    if top >= bottom or left >= right:
        return
    dy, dx = np.arange(top, bottom) - position[0], np.arange(left, right) - position[1]
    bump = np.exp(-(dy[:, None] ** 2 + dx[None, :] ** 2) / (2 * sigma**2))
    np.maximum(heatmap[top:bottom, left:right], bump, out=heatmap[top:bottom, left:right], casting="unsafe")
