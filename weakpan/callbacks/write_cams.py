"""Turns predicted heatmaps into CAM label maps on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from weakpan.cues.grad_cam import CamSettings, cam_labels, stitch_cams
from weakpan.data.annotations import WeakAnnotations
from weakpan.map_store import MapStore


class WriteCams(BasePredictionWriter):
    """Writes one CAM label map an image while `ClassifierModule` predicts.

    The loop adds it to the prediction stage of the classifier; its settings are the group `cues.cam`:

        cues:
          cam: {threshold: 0.5, tile_normalised: true}

    Args:
        store: that the maps go to; every rank writes its own images.
        annotations: for image sizes and the crop grid.
        settings: of the label rule.
    """

    def __init__(self, store: MapStore, annotations: WeakAnnotations, settings: CamSettings) -> None:
        super().__init__(write_interval="batch")
        self.store, self.annotations, self.settings = store, annotations, settings

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        prediction: Mapping[str, Any],
        batch_indices: Sequence[int] | None,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int,  # noqa: ARG002
    ) -> None:
        """Stitch the tiles of one image, cut, write."""
        entry = self.annotations.images[prediction["image_id"]]
        size = (entry.height, entry.width)
        cams = stitch_cams(
            prediction["pairs"],
            prediction["heatmaps"],
            self.annotations.grid.tiles(*size),
            size,
            self.annotations.catalog.num_classes,
            self.settings,
        )
        self.store.write(entry.image_id, cam_labels(cams, self.settings))
