"""The mask network: which pixels of a window are the object of its box."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakpan.models.encoder import Encoder
from weakpan.models.pspnet import TopDown, conv_bn_relu

COORDINATES = 5
"""Maps that tell the network where the box is."""


class MaskOutput(NamedTuple):
    """What the network says, at a quarter of the window's resolution.

    Attributes:
        thing: (B, 1, h, w) logit that a pixel belongs to any thing, judged by the picture alone.
        mask: (B, 1, h, w) logit that it belongs to the object of the box.
    """

    thing: Tensor
    mask: Tensor


class MaskNet(nn.Module):
    """Encoder and top-down path, which do not know where the box is, and a head that does.

    The first output has to be told from looks, because boxes lie anywhere in the windows that it learns from; the
    second takes it from there to the one object that the box is about.

    Args:
        encoder: timm model name.
        init: initial weights of the encoder, see `weakpan.models.encoder.create_timm`.
        channels: of the decoder.
    """

    def __init__(self, encoder: str, init: str | None = None, channels: int = 48) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, init)
        widths = self.encoder.channels
        self.levels = [k for k in reversed(range(len(widths) - 1)) if self.encoder.strides[k] >= 4]
        self.entry = conv_bn_relu(widths[-1], channels, 1)
        self.path = TopDown(channels, [widths[k] for k in self.levels])
        self.thing_head = nn.Conv2d(channels, 1, 1)
        self.mask_head = nn.Sequential(
            conv_bn_relu(channels + COORDINATES, channels, 3),
            conv_bn_relu(channels, channels, 3),
            nn.Conv2d(channels, 1, 1),
        )

    def forward(self, windows: Tensor, coordinates: Tensor) -> MaskOutput:
        """Windows (B, 3, S, S) RGB, 0..1, and the coordinates (B, 5, S, S) of their boxes (`Window.coordinates`)."""
        found = self.encoder(windows)
        features = self.path(self.entry(found[-1]), [found[k] for k in self.levels])
        where = F.adaptive_avg_pool2d(coordinates, (features.shape[-2], features.shape[-1]))
        return MaskOutput(self.thing_head(features), self.mask_head(torch.cat([features, where], dim=1)))
