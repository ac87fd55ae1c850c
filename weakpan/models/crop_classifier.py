"""Multi-label classifier over crops, split where Grad-CAM needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

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
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str,
        init: str | None = None,
        output_stride: int | None = 16,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        dilation: dict[str, Any] = {} if output_stride is None else {"output_stride": output_stride}
        self.body: Any = create_timm(
            encoder, init, "classifier", num_classes=num_classes, drop_rate=dropout, **dilation
        )
        settings: Mapping[str, Any] = getattr(self.body, "pretrained_cfg", None) or {}
        self.normalise = Normalise(
            tuple(settings.get("mean", (0.485, 0.456, 0.406))), tuple(settings.get("std", (0.229, 0.224, 0.225)))
        )

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..1, to (N, F, h, w)."""
        return cast(Tensor, self.body.forward_features(self.normalise(crops)))

    def head(self, features: Tensor) -> Tensor:
        """(N, F, h, w) to (N, C) logits."""
        return cast(Tensor, self.body.forward_head(features))

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..1, to (N, C) logits."""
        return self.head(self.features(crops))
