"""The crop classifier as a LightningModule: fit on tags, predict heatmaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakpan.models.crop_classifier import CropClassifier
from weakpan.seeds.grad_cam import grad_cam
from weakpan.training.base import TrainingModule
from weakpan.training.losses import LossContext, LossTerm
from weakpan.training.optimizers import OptimizerFactory, SchedulerFactory


@dataclass(frozen=True)
class CamViews:
    """Scales and mirror images that heatmaps are averaged over, see `weakpan.seeds.settings.CamSettings`."""

    scales: Sequence[float] = (1.0,)
    flip: bool = False


def resize(tiles: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) to the same tiles at a scale."""
    if scale == 1:
        return tiles
    size = tuple(max(1, round(n * scale)) for n in tiles.shape[-2:])
    return F.interpolate(tiles, size, mode="bilinear", align_corners=False, antialias=scale < 1)


class ClassifierModule(TrainingModule):
    """Multi-label classification of tiles with a sigmoid a class; Grad-CAM in `predict_step`.

    Predicting needs `Trainer(inference_mode=False)`, since Grad-CAM takes gradients.

    Args:
        network: split into features and head.
        losses: see `TrainingModule`.
        optimizer: see `TrainingModule`.
        scheduler: see `TrainingModule`.
        encoder_lr_factor: see `TrainingModule`.
        scales: least and largest factor that training tiles are scaled by, one draw a batch.
        views: how tiles are shown when heatmaps are made.
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
        views: CamViews | None = None,
    ) -> None:
        super().__init__(network, losses, optimizer, scheduler, encoder_lr_factor)
        self.network: CropClassifier
        self.scales, self.views = scales, views or CamViews()
        self.make_heatmaps = True

    @property
    def encoder(self) -> nn.Module | None:
        """The timm model, its last layer included."""
        return getattr(self.network, "body", None)

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Weighted sum of the losses on the tiles of a batch."""
        tiles = resize(batch["tiles"].float() / 255, self._draw_scale())
        logits = self.network(tiles)
        values = self.losses_of(logits, batch, LossContext(tiles.shape[-2:]))
        self.log_losses(values, len(logits))
        return values["total"]

    def _draw_scale(self) -> float:
        low, high = (math.log(scale) for scale in self.scales)
        # The generator is seeded anew before every step, so that a resumed training draws the same.
        return math.exp(low + (high - low) * float(torch.rand(())))

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Any]:  # noqa: ARG002
        """Grad-CAM without ReLU of every tagged class of every tile of one image, averaged over the views.

        Returns:
            What the batch holds beside `tiles` and `tags`, of its image; `pairs` (P, 2) tile and class; `heatmaps`
            (P, h, w) of any sign. With `make_heatmaps` off only `image_id`, and `logits` and `tags`, (T, C), of tiles
            shown once and unscaled.
        """
        tiles = batch["tiles"].float() / 255
        if not self.make_heatmaps:
            return {"image_id": batch["image_id"][0], "logits": self.network(tiles), "tags": batch["tags"]}
        views = [
            (scale, mirrored) for scale in self.views.scales for mirrored in ((False, True)[: 1 + self.views.flip])
        ]
        pairs, maps = torch.zeros(0), []
        for scale, mirrored in views:
            pairs, heatmaps = self._heatmaps(tiles, batch["tags"], scale, mirrored)
            maps.append(heatmaps)
        size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
        enlarged = [F.interpolate(m[:, None], size, mode="bilinear", align_corners=False)[:, 0] for m in maps]
        return {
            **{key: values[0] for key, values in batch.items() if key not in ("tiles", "tags")},
            "pairs": pairs,
            "heatmaps": torch.stack(enlarged).mean(dim=0),
        }

    def _heatmaps(self, tiles: Tensor, tags: Tensor, scale: float, mirrored: bool) -> tuple[Tensor, Tensor]:
        seen = resize(tiles, scale)
        with torch.no_grad():
            features = self.network.features(seen.flip(-1) if mirrored else seen)
        pairs, heatmaps = grad_cam(features.float(), self.network.head, tags)
        return pairs, heatmaps.flip(-1) if mirrored else heatmaps
