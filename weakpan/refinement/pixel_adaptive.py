"""Class probabilities that flow between pixels of like colour, so that regions agree and borders follow the image."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.refinement.bands import row_bands, share_among
from weakpan.refinement.settings import DiffusionSettings

# Keeps the affinities of a window without any contrast finite; colours run from 0 to 1.
_LEAST_DEVIATION = 1e-3


def diffuse(probabilities: Tensor, allowed: Tensor, image: Tensor, settings: DiffusionSettings) -> Tensor:
    """Mix each pixel's class probabilities with those of neighbours of like colour, over and over.

    A random walk whose steps are weighed by colour, with neighbours at several distances, in the manner of
    pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020). Classes that a pixel cannot have are taken out at
    the end.

    Args:
        probabilities: (C, H, W), 0..1.
        allowed: (C, H, W) bool, the candidates of every pixel.
        image: (3, h, w) uint8, the photograph at any size.
        settings: how far.

    Returns:
        (C, H, W) float32, 0..1; over the classes of a pixel it sums to 1, or to 0 where no class is allowed.
    """
    if settings.steps == 0:
        return probabilities
    size = probabilities.shape[1:]
    factor = min(1.0, settings.side / min(size))
    small = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    colours = F.interpolate(image[None].float() / 255, small, mode="area")[0]
    flowing = F.interpolate(probabilities[None], small, mode="area")[0]
    offsets = [(y, x) for d in settings.reaches for y in (-d, 0, d) for x in (-d, 0, d) if (y, x) != (0, 0)]
    flowing = _flow(flowing, _affinities(colours, offsets, settings.contrast), offsets, settings.steps)
    result = F.interpolate(flowing[None], size, mode="bilinear", align_corners=False)[0]
    for rows in row_bands(result):
        band = result[:, rows]
        total = share_among(allowed[:, rows], band)
        # Bilinear enlargement reaches only so far: a pixel whose candidates have no mass near it keeps what it had.
        if (total <= 0).any():
            result[:, rows] = torch.where(total > 0, band, probabilities[:, rows])
    return result


def _flow(maps: Tensor, affinities: Tensor, offsets: list[tuple[int, int]], steps: int) -> Tensor:
    """(C, h, w) maps after some steps of the walk; affinities are (K, h, w)."""
    classes, height, width = maps.shape
    neighbours = _neighbours(height, width, tuple(offsets)).to(maps.device)
    starts = torch.arange(0, neighbours.numel(), len(offsets), dtype=neighbours.dtype, device=maps.device)
    weights = affinities.flatten(1).T.reshape(-1)
    # A weighted sum over rows of a table, which is what bags of embeddings are: one call a step, with the classes of a
    # pixel side by side in memory, takes less than half the time of a pass over the maps for each neighbour.
    table = maps.flatten(1).T.contiguous()
    for _ in range(steps):
        table = F.embedding_bag(neighbours, table, starts, mode="sum", per_sample_weights=weights)
    return table.T.contiguous().view(classes, height, width)


@lru_cache(maxsize=8)
def _neighbours(height: int, width: int, offsets: tuple[tuple[int, int], ...]) -> Tensor:
    """(h * w * K,) int32, for each pixel the positions of its neighbours; beyond the border its pixels go on."""
    # Kept for later calls, which may be made where gradients are wanted.
    with torch.inference_mode(False):
        steps = torch.tensor(offsets)
        rows = (torch.arange(height)[:, None] + steps[:, 0]).clamp_(0, height - 1)
        columns = (torch.arange(width)[:, None] + steps[:, 1]).clamp_(0, width - 1)
        return (rows[:, None] * width + columns).flatten().to(torch.int32)


def _affinities(colours: Tensor, offsets: list[tuple[int, int]], contrast: float) -> Tensor:
    """(K, h, w), weight of each neighbour of a pixel; over the neighbours it sums to 1."""
    padded = _Padded(colours, offsets)
    neighbours = [padded.shifted(offset) for offset in offsets]
    # A pass over sums takes a third of the time that a stack of all neighbours and its standard deviation take.
    total, squares = colours.clone(), colours.square()
    for neighbour in neighbours:
        total += neighbour
        squares.addcmul_(neighbour, neighbour)
    count = len(offsets) + 1
    variance = (squares - total.square() / count).clamp_min(0) / (count - 1)
    scale = -1 / (contrast * len(colours) * (variance.sqrt() + _LEAST_DEVIATION))
    closeness = torch.empty((len(offsets), *padded.size), dtype=colours.dtype, device=colours.device)
    # The same memory for every neighbour: it stays in the cache.
    difference = torch.empty_like(colours)
    for neighbour, close in zip(neighbours, closeness, strict=True):
        torch.sub(neighbour, colours, out=difference).abs_().mul_(scale)
        torch.sum(difference, dim=0, out=close)
    return torch.softmax(closeness, dim=0)


class _Padded:
    """Maps whose border pixels go on outside, to be looked at from an offset."""

    def __init__(self, maps: Tensor, offsets: list[tuple[int, int]]) -> None:
        self.size = maps.shape[-2:]
        self.margin = max(max(abs(y), abs(x)) for y, x in offsets)
        self.maps = F.pad(maps[None], (self.margin,) * 4, mode="replicate")[0]

    def shifted(self, offset: tuple[int, int]) -> Tensor:
        """(N, h, w): at (y, x) what the maps hold at (y, x) + offset."""
        top, left = self.margin + offset[0], self.margin + offset[1]
        return self.maps[:, top : top + self.size[0], left : left + self.size[1]]
