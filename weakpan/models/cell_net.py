"""A small classifier of cells on the features of an encoder that stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakpan.models.encoder import Encoder

_LEAST_SPREAD = 0.05
"""Components that spread less than this share of the widest one are scaled as if they spread so much: it is noise."""


class CellFeatures(nn.Module):
    """The levels of an encoder on one grid of cells, each reduced to its widest directions.

    Args:
        encoder: timm model name.
        init: initial weights of the encoder, see `weakpan.models.encoder.create_timm`; they are not trained.
        cell: side of a cell, pixels of what the encoder sees.
        most_channels: directions that are kept of a level at most.
    """

    def __init__(self, encoder: str, init: str | None, cell: int, most_channels: int) -> None:
        super().__init__()
        self.cell = cell
        self.encoder = Encoder(encoder, init, output_stride=16)
        self.encoder.requires_grad_(False).eval()
        levels = [k for k, stride in enumerate(self.encoder.strides) if stride <= 16]
        self.levels = levels
        kept = [min(most_channels, self.encoder.channels[k]) for k in levels]
        self.channels = sum(kept)
        self.reduce = nn.ModuleList(
            nn.Conv2d(self.encoder.channels[k], n, 1) for k, n in zip(levels, kept, strict=True)
        )
        self.reduce.requires_grad_(False)

    def train(self, mode: bool = True) -> CellFeatures:
        """Switch to training; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Cells of an image of so many pixels, rows and columns."""
        return max(1, round(height / self.cell)), max(1, round(width / self.cell))

    def whiten(self, samples: Sequence[Tensor]) -> None:
        """Set the reduction of each level so that what it makes of samples is uncorrelated and of like spread.

        Args:
            samples: for each level, (n, channels) features of some cells.
        """
        for reduction, level in zip(self.reduce, samples, strict=True):
            assert isinstance(reduction, nn.Conv2d)
            middle = level.mean(dim=0)
            values, vectors = torch.linalg.eigh(torch.cov((level - middle).T))
            kept = reduction.out_channels
            spread = values[-kept:].clamp_min(0).sqrt()
            scale = spread.clamp_min(float(spread.max()) * _LEAST_SPREAD).clamp_min(1e-6)
            weight = (vectors[:, -kept:] / scale).T
            reduction.weight.copy_(weight[:, :, None, None])
            assert reduction.bias is not None
            reduction.bias.copy_(-(weight @ middle))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Features of each level of (B, 3, H, W) RGB, 0..1, finest first, each at its own stride."""
        found = self.encoder(images)
        return [found[k] for k in self.levels]

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB, 0..1, to (B, channels, h, w)."""
        size = self.grid(*images.shape[-2:])
        return torch.cat(
            [
                _resized(reduction(level), size)
                for reduction, level in zip(self.reduce, self.pyramid(images), strict=True)
            ],
            dim=1,
        )


def _resized(level: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over cells of a finer level, values between those of a coarser one."""
    if level.shape[-2] >= size[0]:
        return F.adaptive_avg_pool2d(level, size)
    return F.interpolate(level, size, mode="bilinear", align_corners=False)


class CellClassifier(nn.Sequential):
    """Two layers from features of single cells to logits, (n, channels) to (n, classes)."""

    def __init__(self, channels: int, hidden: int, num_classes: int) -> None:
        super().__init__(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, num_classes))
