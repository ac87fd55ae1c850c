"""The crop classifier as a LightningModule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakpan.models.crop_classifier import CropClassifier
from weakpan.training.base import TrainingModule
from weakpan.training.losses import LossContext, LossTerm
from weakpan.training.optimizers import OptimizerFactory, SchedulerFactory


def resize(crops: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) to the same crops at a scale."""
    if scale == 1:
        return crops
    size = tuple(max(1, round(n * scale)) for n in crops.shape[-2:])
    return F.interpolate(crops, size, mode="bilinear", align_corners=False, antialias=scale < 1)


class ClassifierModule(TrainingModule):
    """Multi-label classification of crops with a sigmoid a class.

    Args:
        network: split into features and head.
        losses: see `TrainingModule`.
        optimizer: see `TrainingModule`.
        scheduler: see `TrainingModule`.
        encoder_lr_factor: see `TrainingModule`.
        scales: least and largest factor that training crops are scaled by, one draw a batch.
    """

    name = "classifier"

    def __init__(
        self,
        network: CropClassifier,
        losses: Mapping[str, LossTerm | None],
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        encoder_lr_factor: float = 1.0,
        scales: Sequence[float] = (1.0, 1.0),
    ) -> None:
        super().__init__(network, losses, optimizer, scheduler, encoder_lr_factor)
        self.network: CropClassifier
        self.scales = scales

    @property
    def encoder(self) -> nn.Module | None:
        """The timm model, its last layer included."""
        return getattr(self.network, "body", None)

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Weighted sum of the losses on the crops of a batch."""
        crops = resize(batch["crops"].float() / 255, self._draw_scale())
        logits = self.network(crops)
        values = self.losses_of(logits, batch, LossContext(crops.shape[-2:]))
        self.log_losses(values, len(logits))
        return values["total"]

    def _draw_scale(self) -> float:
        low, high = (math.log(scale) for scale in self.scales)
        # The generator is seeded anew before every step, so that a resumed training draws the same.
        return math.exp(low + (high - low) * float(torch.rand(())))

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Any]:  # noqa: ARG002
        """`image_id`, and `logits` and `tags`, (T, C), of the crops of one image, shown unscaled."""
        logits = self.network(batch["crops"].float() / 255)
        return {"image_id": batch["image_id"][0], "logits": logits, "tags": batch["tags"]}
