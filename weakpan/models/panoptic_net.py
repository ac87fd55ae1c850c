"""The segmenter: an encoder, a semantic head and a class-agnostic instance head (centres and offsets)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from weakpan.basics.settings import at_least, between, check_value, one_of
from weakpan.models.encoder import Encoder
from weakpan.models.pspnet import PyramidPooling, TopDown, conv_bn_relu

OFFSET_UNIT = 32.0
"""Pixels that the offset head's output of 1 stands for: offsets are tens of pixels, activations are near 1."""


class PanopticOutput(NamedTuple):
    """What the network says, all at the stride of its finest level (h, w).

    Attributes:
        semantic: (B, C, h, w) class logits.
        centre: (B, 1, h, w) centre heatmap, about 0..1 (no activation).
        offset: (B, 2, h, w) vector (dy, dx) from a pixel to the centre of its instance, in pixels of the network's
            input.
        auxiliary: (B, C, h', w') class logits from a middle level (deep supervision), or None.
    """

    semantic: Tensor
    centre: Tensor
    offset: Tensor
    auxiliary: Tensor | None = None


class PanopticNet(nn.Module):
    """Encoder, pyramid pooling, optional top-down path, semantic and instance head.

    With `output_stride=8`, no finer levels and `auxiliary=True` the semantic half is PSPNet as published; the instance
    half follows Panoptic-DeepLab (Cheng et al., CVPR 2020): a heatmap of centres and an offset to the centre.

    Args:
        num_classes: of the class table.
        encoder: timm model name.
        init: initial weights of the encoder, see `weakpan.models.encoder.create_timm`.
        output_stride: of the encoder's last level; below 32 its last stages are dilated.
        finest_stride: levels down to this stride are added top-down; `output_stride` for none.
        channels: of the decoder.
        bins: grid sizes of the pyramid pooling.
        dropout: before the semantic classifier, 0..1.
        auxiliary: whether a second semantic classifier sits on the last level but one.

    Attributes:
        branches: parts of the network that each field of its output comes from; what no loss reaches is frozen by it.
        classes_only: set it to leave out the work for everything but `semantic`, which stays the same to the bit;
            centres and offsets are then empty, (B, 1, 0, 0) and (B, 2, 0, 0).

    Raises:
        ConfigError: an argument out of range.
        DataError: initial weights that are missing, unreadable or of another architecture.
    """

    branches: Mapping[str, tuple[str, ...]] = {
        "semantic": ("encoder", "pooling", "semantic_path", "semantic_head"),
        "centre": ("encoder", "pooling", "instance_entry", "instance_path", "centre_head"),
        "offset": ("encoder", "pooling", "instance_entry", "instance_path", "offset_head"),
        "auxiliary": ("encoder", "auxiliary_head"),
    }
    classes_only = False

    def __init__(
        self,
        num_classes: int,
        encoder: str,
        init: str | None = None,
        output_stride: int = 16,
        finest_stride: int = 4,
        channels: int = 96,
        bins: Sequence[int] = (1, 2, 3, 6),
        dropout: float = 0.1,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        check_value("output_stride", output_stride, one_of((8, 16, 32)))
        check_value("finest_stride", finest_stride, at_least(1))
        check_value("channels", channels, at_least(1))
        check_value("bins", list(bins) or 0, at_least(1))
        check_value("dropout", dropout, between(0, 1))
        self.encoder = Encoder(encoder, init, output_stride)
        strides, widths = self.encoder.strides, self.encoder.channels
        self.skip_levels = [i for i in reversed(range(len(strides) - 1)) if finest_stride <= strides[i] < strides[-1]]
        self.pooling = PyramidPooling(widths[-1], channels, bins)
        self.semantic_path = TopDown(channels, [widths[i] for i in self.skip_levels])
        self.semantic_head = nn.Sequential(
            conv_bn_relu(channels, channels, 3), nn.Dropout2d(dropout), nn.Conv2d(channels, num_classes, 1)
        )
        # Where an object ends is another question than what it is: a path of its own, half as wide.
        narrow = max(16, channels // 2)
        self.instance_entry = conv_bn_relu(channels, narrow, 1)
        self.instance_path = TopDown(narrow, [widths[i] for i in self.skip_levels])
        self.centre_head = nn.Sequential(conv_bn_relu(narrow, narrow, 3), nn.Conv2d(narrow, 1, 1))
        self.offset_head = nn.Sequential(conv_bn_relu(narrow, narrow, 3), nn.Conv2d(narrow, 2, 1))
        self.auxiliary_head: nn.Module | None = None
        if auxiliary:
            middle = max(16, widths[-2] // 4)
            self.auxiliary_head = nn.Sequential(
                conv_bn_relu(widths[-2], middle, 3), nn.Dropout2d(dropout), nn.Conv2d(middle, num_classes, 1)
            )

    def forward(self, images: Tensor) -> PanopticOutput:
        """(B, 3, H, W) RGB, 0..1, of any size."""
        levels = self.encoder(images)
        context = self.pooling(levels[-1])
        finer = [levels[i] for i in self.skip_levels]
        semantic = self.semantic_head(self.semantic_path(context, finer))
        if self.classes_only:
            centre, offset = (semantic.new_empty((len(images), channels, 0, 0)) for channels in (1, 2))
            return PanopticOutput(semantic, centre, offset)
        instance = self.instance_path(self.instance_entry(context), finer)
        auxiliary = self.auxiliary_head(levels[-2]) if self.auxiliary_head is not None and self.training else None
        return PanopticOutput(semantic, self.centre_head(instance), self.offset_head(instance) * OFFSET_UNIT, auxiliary)
