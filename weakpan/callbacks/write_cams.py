"""Turns predicted heatmaps into CAM label maps on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import SemanticMap
from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.crops import CropGrid
from weakpan.seeds.grad_cam import stitch_cams
from weakpan.seeds.heatmaps import CamHeatmaps
from weakpan.seeds.label_maps import Known, cut_labels, taking_part, to_keep
from weakpan.seeds.settings import PUBLISHED, CamSettings


class WriteCams(EachPrediction):
    """Writes one CAM label map an image while `ClassifierModule` predicts.

    The loop adds it to the prediction stage of the classifier; its settings are the group `seeds`:

        cues:
          cam: {rule: competing, threshold: 0.5, scales: [1.0, 1.5], flip: true, keep_heatmaps: false}

    Args:
        write: takes an image id and its (H, W) uint8 map; every rank writes its own images.
        keep: takes an image id and its heatmaps, before the map is written; None for not keeping them.
        grid: that the tags belong to.
        settings: of the label rule.
    """

    def __init__(
        self,
        write: Callable[[str, SemanticMap], None],
        keep: Callable[[str, CamHeatmaps], None] | None,
        grid: CropGrid,
        settings: CamSettings,
    ) -> None:
        super().__init__()
        self.write, self.keep, self.grid, self.settings = write, keep, grid, settings

    def take(self, prediction: Mapping[str, Any]) -> None:
        """Stitch the tiles of one image, cut, write."""
        image = prediction["image"]
        known = Known(prediction["set_table"], prediction["set_index"], image)
        pairs, heatmaps = prediction["pairs"], prediction["heatmaps"]
        tagged = sorted(set(pairs[:, 1].tolist()))
        classes, published = taking_part(tagged, self.settings, known), self.settings.rule == PUBLISHED
        if self.keep is None:
            cams = self._stitch(pairs, F.relu(heatmaps) if published else heatmaps, classes, image)
        else:
            positive = self._stitch(pairs, F.relu(heatmaps), tagged, image)
            signed = self._stitch(pairs, heatmaps, tagged, image)
            crop = self.grid.height, self.grid.width
            self.keep(prediction["image_id"], to_keep(tagged, positive, signed, crop))
            cams = (positive if published else signed)[[tagged.index(k) for k in classes]]
        self.write(prediction["image_id"], cut_labels(classes, cams, self.settings, known))

    def _stitch(self, pairs: Tensor, heatmaps: Tensor, classes: Sequence[int], image: Tensor) -> Tensor:
        """(K, H, W), heatmaps of some classes alone: at full size each one is much to carry along."""
        wanted = torch.tensor(classes, dtype=pairs.dtype, device=pairs.device)
        chosen = torch.isin(pairs[:, 1], wanted)
        crops, ids = pairs[chosen].unbind(1)
        size = (image.shape[1], image.shape[2])
        rows = torch.stack([crops, torch.searchsorted(wanted, ids.contiguous())], dim=1)
        return stitch_cams(rows, heatmaps[chosen], self.grid.tiles(*size), size, len(classes))
