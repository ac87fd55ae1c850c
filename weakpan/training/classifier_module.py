"""The crop classifier as a LightningModule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.models.crop_classifier import CropClassifier
from weakpan.training.optimisers import configure
from weakpan.training.settings import OptimiserSettings


def resize(tiles: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) to the same tiles at a scale."""
    if scale == 1:
        return tiles
    size = tuple(max(1, round(n * scale)) for n in tiles.shape[-2:])
    return F.interpolate(tiles, size, mode="bilinear", align_corners=False, antialias=scale < 1)


class ClassifierModule(pl.LightningModule):
    """Multi-label classification of tiles with sigmoid and binary cross-entropy.

    Args:
        network: split into features and head.
        optimiser: settings.
        scales: least and largest factor that training tiles are scaled by, one draw a batch.
    """

    def __init__(
        self,
        network: CropClassifier,
        optimiser: OptimiserSettings,
        scales: Sequence[float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.network, self.optimiser = network, optimiser
        self.scales = scales

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Binary cross-entropy over (tile, class)."""
        logits = self.network(resize(batch["tiles"].float() / 255, self._draw_scale()))
        loss = F.binary_cross_entropy_with_logits(logits.float(), batch["tags"].float())
        self.log("classifier/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(logits))
        return loss

    def _draw_scale(self) -> float:
        low, high = (math.log(scale) for scale in self.scales)
        # The generator is seeded anew before every step, so that a resumed training draws the same.
        return math.exp(low + (high - low) * float(torch.rand(())))

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Any]:  # noqa: ARG002
        """`image_id`, and `logits` and `tags`, (T, C), of the tiles of one image, shown unscaled."""
        logits = self.network(batch["tiles"].float() / 255)
        return {"image_id": batch["image_id"][0], "logits": logits, "tags": batch["tags"]}

    def configure_optimizers(self) -> Any:
        """Optimiser and poly schedule over the whole fit."""
        steps = int(self.trainer.estimated_stepping_batches)
        return configure(self.network, self.network.body, self.optimiser, steps)
