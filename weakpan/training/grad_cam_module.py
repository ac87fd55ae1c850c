"""Grad-CAM of a trained crop classifier, as a LightningModule that predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.models.crop_classifier import CropClassifier
from weakpan.seeds.grad_cam import grad_cam
from weakpan.training.classifier_module import resize


class GradCamModule(pl.LightningModule):
    """Grad-CAM (Selvaraju et al., ICCV 2017) of every tagged class of every crop of an image, without its ReLU.

    Predicting needs `Trainer(inference_mode=False)`, since Grad-CAM takes gradients.

    Args:
        network: split into features and head, trained.
        scales: factors by which crops are scaled; heatmaps are averaged over them.
        flip: average over the crops and their mirror images.
    """

    def __init__(self, network: CropClassifier, scales: Sequence[float] = (1.0,), flip: bool = False) -> None:
        super().__init__()
        self.network, self.scales, self.flip = network, tuple(scales), flip

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Any]:  # noqa: ARG002
        """Heatmaps of one image.

        Returns:
            What the batch holds beside `crops` and `tags`, of its image; `pairs` (P, 2) int64, crop and class;
            `heatmaps` (P, h, w) float32 of any sign.
        """
        crops = batch["crops"].float() / 255
        pairs, maps = torch.zeros(0), []
        for scale in self.scales:
            for mirrored in (False, True)[: 1 + self.flip]:
                pairs, heatmaps = self._heatmaps(crops, batch["tags"], scale, mirrored)
                maps.append(heatmaps)
        size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
        enlarged = [F.interpolate(m[:, None], size, mode="bilinear", align_corners=False)[:, 0] for m in maps]
        return {
            **{key: values[0] for key, values in batch.items() if key not in ("crops", "tags")},
            "pairs": pairs,
            "heatmaps": torch.stack(enlarged).mean(dim=0),
        }

    def _heatmaps(self, crops: Tensor, tags: Tensor, scale: float, mirrored: bool) -> tuple[Tensor, Tensor]:
        seen = resize(crops, scale)
        with torch.no_grad():
            features = self.network.features(seen.flip(-1) if mirrored else seen)
        pairs, heatmaps = grad_cam(features.float(), self.network.head, tags)
        return pairs, heatmaps.flip(-1) if mirrored else heatmaps
