"""Semantic decoders: pyramid pooling as in PSPNet, with or without a top-down path to finer levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU; the spatial size is kept."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PyramidPooling(nn.Module):
    """Pyramid pooling module (Zhao et al., CVPR 2017): averages over coarse grids put beside the features.

    Args:
        inputs: channels of the features.
        outputs: channels of the result.
        bins: grid sizes, the published (1, 2, 3, 6) by default.
    """

    def __init__(self, inputs: int, outputs: int, bins: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.bins = tuple(bins)
        branch = max(1, inputs // len(self.bins))
        # No BatchNorm in the branches: a 1 x 1 grid of a batch of one has no variance.
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, branch, 1), nn.ReLU(inplace=True)) for _ in self.bins
        )
        self.fuse = conv_bn_relu(inputs + branch * len(self.bins), outputs, 3)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        size = features.shape[-2:]
        pooled = [
            F.interpolate(branch(grid_average(features, n)), size, mode="bilinear", align_corners=False)
            for n, branch in zip(self.bins, self.branches, strict=True)
        ]
        fused: Tensor = self.fuse(torch.cat([features, *pooled], dim=1))
        return fused


def grid_average(features: Tensor, cells: int) -> Tensor:
    """Average over a grid of cells x cells; a map smaller than the grid is averaged over what there is."""
    height, width = features.shape[-2:]
    return F.adaptive_avg_pool2d(features, (min(cells, height), min(cells, width)))


class TopDown(nn.Module):
    """Adds finer encoder levels to coarse features, one after the other, up to a given stride.

    Args:
        coarse: channels that come in and go out.
        levels: channels of the encoder levels to add, coarsest first.
    """

    def __init__(self, coarse: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(channels, coarse, 1) for channels in levels)
        self.smooth = nn.ModuleList(conv_bn_relu(coarse, coarse, 3) for _ in levels)

    def forward(self, features: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """(B, coarse, h, w) and the encoder levels, coarsest first, to (B, coarse, H, W) of the last level's size."""
        for level, lateral, smooth in zip(levels, self.lateral, self.smooth, strict=True):
            up = F.interpolate(features, level.shape[-2:], mode="bilinear", align_corners=False)
            features = smooth(up + lateral(level))
        return features
