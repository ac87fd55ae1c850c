"""Multi-label classifier over crops, split where Grad-CAM needs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from weakpan.basics.settings import at_least, between, check_value, one_of
from weakpan.models.encoder import Normalise, create_timm


class CropClassifier(nn.Module):
    """A timm classifier with one logit a class, in two halves: spatial features, and the head on top of them.

    Args:
        num_classes: of the class table.
        encoder: timm model name.
        init: initial weights, see `weakpan.models.encoder.create_timm`.
        output_stride: of the last features; smaller means finer CAMs. None leaves the model as it is, for families
            that cannot be dilated.
        dropout: before the last layer, 0..1.
        sharpness: of the pooling, 0 or more. 0 is the model's own head, which averages features. Above 0 the head is
            applied at every place and the logits are pooled by log-mean-exp, log(mean(exp(r z))) / r (Pinheiro and
            Collobert, CVPR 2015), between their mean and their maximum: a class must then be somewhere in a crop and
            need not fill it, so that small classes are learned where they are.

    Raises:
        ConfigError: an argument out of range.
        DataError: initial weights that are missing, unreadable or of another architecture.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str,
        init: str | None = None,
        output_stride: int | None = 16,
        dropout: float = 0.1,
        sharpness: float = 0.0,
    ) -> None:
        super().__init__()
        check_value("output_stride", output_stride, one_of((8, 16, 32)))
        check_value("dropout", dropout, between(0, 1))
        check_value("sharpness", sharpness, at_least(0))
        self.sharpness = sharpness
        dilation: dict[str, Any] = {} if output_stride is None else {"output_stride": output_stride}
        self.body: Any = create_timm(encoder, init, num_classes=num_classes, drop_rate=dropout, **dilation)
        settings: Mapping[str, Any] = getattr(self.body, "pretrained_cfg", None) or {}
        self.normalise = Normalise(
            tuple(settings.get("mean", (0.485, 0.456, 0.406))), tuple(settings.get("std", (0.229, 0.224, 0.225)))
        )

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..1, to (N, F, h, w)."""
        return cast(Tensor, self.body.forward_features(self.normalise(crops)))

    def head(self, features: Tensor) -> Tensor:
        """(N, F, h, w) to (N, C) logits."""
        if self.sharpness == 0:
            return cast(Tensor, self.body.forward_head(features))
        count, channels, height, width = features.shape
        places = features.permute(0, 2, 3, 1).reshape(count * height * width, channels, 1, 1)
        scores = cast(Tensor, self.body.forward_head(places)).float()
        logits = scores.reshape(count, height * width, scores.shape[-1])
        pooled = torch.logsumexp(self.sharpness * logits, dim=1) - math.log(height * width)
        return pooled / self.sharpness

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..1, to (N, C) logits."""
        return self.head(self.features(crops))
