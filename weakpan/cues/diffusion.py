"""Class probabilities that flow between pixels of like colour, so that regions agree and borders follow the image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.cues.cam_settings import DiffusionSettings

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
    affinities = _affinities(colours, offsets, settings.contrast)
    for _ in range(settings.steps):
        padded = _Padded(flowing, offsets)
        flowing = torch.zeros_like(flowing)
        for affinity, offset in zip(affinities, offsets, strict=True):
            flowing.addcmul_(padded.shifted(offset), affinity)
    result = F.interpolate(flowing[None], size, mode="bilinear", align_corners=False)[0] * allowed
    # Bilinear enlargement reaches only so far: a pixel whose candidates have no mass near it keeps what it had.
    total = result.sum(dim=0, keepdim=True)
    return torch.where(total > 0, result / total.clamp_min(1e-12), probabilities)


def _affinities(colours: Tensor, offsets: list[tuple[int, int]], contrast: float) -> Tensor:
    """(K, h, w), weight of each neighbour of a pixel; over the neighbours it sums to 1."""
    padded = _Padded(colours, offsets)
    # A pass over sums takes a third of the time that a stack of all neighbours and its standard deviation take.
    total, squares = colours.clone(), colours.square()
    for offset in offsets:
        neighbour = padded.shifted(offset)
        total += neighbour
        squares.addcmul_(neighbour, neighbour)
    count = len(offsets) + 1
    variance = (squares - total.square() / count).clamp_min(0) / (count - 1)
    scale = 1 / (contrast * len(colours) * (variance.sqrt() + _LEAST_DEVIATION))
    closeness = torch.empty((len(offsets), *padded.size), dtype=colours.dtype, device=colours.device)
    for index, offset in enumerate(offsets):
        closeness[index] = -((padded.shifted(offset) - colours).abs_() * scale).sum(dim=0)
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
