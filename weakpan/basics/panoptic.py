"""Panoptic maps: what a model predicts, and what a fully labelled image says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import InstanceMap, SemanticMap


@dataclass(frozen=True)
class Segment:
    """One segment of a panoptic prediction.

    Attributes:
        segment_id: its value in the id map, at least 1.
        class_id: train id.
        score: confidence, 0..1.
    """

    segment_id: int
    class_id: int
    score: float


@dataclass(frozen=True)
class PanopticMap:
    """A prediction in which every pixel belongs to at most one segment.

    A class of stuff has at most one segment; a class of things one for each instance.

    Attributes:
        ids: (H, W) int32, 0 where nothing is predicted, else a segment's id.
        segments: every id that occurs in `ids`, once.
    """

    ids: npt.NDArray[np.int32]
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PanopticTruth:
    """Ground truth of one image.

    Attributes:
        semantic: (H, W) train ids, 255 ignored.
        instances: (H, W) int32, 0 for no instance. Within a class of things, pixels with the same k >= 1 are one
            instance; pixels with 0 are a group (crowd) region. Numbers may repeat between classes. Ignored pixels may
            carry a number too: instances of classes outside the table, which matter to average precision alone.
    """

    semantic: SemanticMap
    instances: InstanceMap
