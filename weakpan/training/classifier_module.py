"""The crop classifier as a LightningModule: fit on tags, predict heatmaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.cues.grad_cam import grad_cam
from weakpan.models.crop_classifier import CropClassifier
from weakpan.training.optimisers import OptimiserSettings, configure


class ClassifierModule(pl.LightningModule):
    """Multi-label classification of tiles with sigmoid and binary cross-entropy; Grad-CAM in `predict_step`.

    Predicting needs `Trainer(inference_mode=False)`, since Grad-CAM takes gradients.

    Args:
        network: split into features and head.
        optimiser: settings.
    """

    def __init__(self, network: CropClassifier, optimiser: OptimiserSettings) -> None:
        super().__init__()
        self.network, self.optimiser = network, optimiser

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Binary cross-entropy over (tile, class)."""
        logits = self.network(batch["tiles"].float() / 255)
        loss = F.binary_cross_entropy_with_logits(logits.float(), batch["tags"].float())
        self.log("classifier/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(logits))
        return loss

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Any]:  # noqa: ARG002
        """Grad-CAM of every tagged class of every tile of one image.

        Returns:
            `image_id`; `pairs` (P, 2) tile and class; `heatmaps` (P, h, w), 0 or larger.
        """
        with torch.no_grad():
            features = self.network.features(batch["tiles"].float() / 255)
        pairs, heatmaps = grad_cam(features.float(), self.network.head, batch["tags"])
        return {"image_id": batch["image_id"][0], "pairs": pairs, "heatmaps": heatmaps}

    def configure_optimizers(self) -> Any:
        """Optimiser and poly schedule over the whole fit."""
        steps = int(self.trainer.estimated_stepping_batches)
        return configure(self.network, self.network.body, self.optimiser, steps)
