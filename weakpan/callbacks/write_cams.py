"""Turns predicted heatmaps into CAM label maps on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.arrays import SemanticMap
from weakpan.callbacks.each_prediction import EachPrediction
from weakpan.cues.cam_labels import competing_labels, published_labels
from weakpan.cues.cam_settings import CamSettings
from weakpan.cues.grad_cam import stitch_cams
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.candidates import candidate_sets


class WriteCams(EachPrediction):
    """Writes one CAM label map an image while `ClassifierModule` predicts.

    The loop adds it to the prediction stage of the classifier; its settings are the group `cues.cam`:

        cues:
          cam: {rule: competing, threshold: 0.5, scales: [1.0, 1.5], flip: true}

    Args:
        write: takes an image id and its (H, W) uint8 map; every rank writes its own images.
        annotations: for image sizes and the crop grid.
        settings: of the label rule.
    """

    def __init__(
        self, write: Callable[[str, SemanticMap], None], annotations: WeakAnnotations, settings: CamSettings
    ) -> None:
        super().__init__()
        self.write, self.annotations, self.settings = write, annotations, settings

    def take(self, prediction: Mapping[str, Any]) -> None:
        """Stitch the tiles of one image, cut, write."""
        entry = self.annotations.images[prediction["image_id"]]
        size = (entry.height, entry.width)
        published = self.settings.rule == "published"
        heatmaps = prediction["heatmaps"]
        cams = stitch_cams(
            prediction["pairs"],
            F.relu(heatmaps) if published else heatmaps,
            self.annotations.grid.tiles(*size),
            size,
            self.annotations.catalog.num_classes,
        )
        if published:
            labels = published_labels(cams, self.settings.threshold)
        else:
            allowed = self._allowed(entry).to(cams.device)
            labels = competing_labels(cams, allowed, prediction["image"], self.settings)
        self.write(entry.image_id, labels)

    def _allowed(self, entry: ImageAnnotation) -> Tensor:
        """(C, H, W) bool, the classes that tags and boxes leave to each pixel."""
        rows, columns = np.arange(entry.height), np.arange(entry.width)
        sets = candidate_sets(entry, self.annotations.grid, self.annotations.catalog, rows, columns)
        # Row 0 stands for pixels that tags and boxes leave no class.
        table = torch.from_numpy(sets.table)
        table[0] = False
        return table[torch.from_numpy(sets.index).long()].permute(2, 0, 1)
