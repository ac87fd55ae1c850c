"""Grad-CAM for all tagged classes of all tiles of an image, and its tiles put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.data.crops import Tile

_PAIRS_AT_ONCE = 64
"""Copies of a crop's features that are held at a time; one backward serves them all."""


def grad_cam(features: Tensor, head: Callable[[Tensor], Tensor], tags: Tensor) -> tuple[Tensor, Tensor]:
    """Grad-CAM (Selvaraju et al., ICCV 2017) of every tagged class of every crop, before its ReLU.

    Each (crop, class) pair gets its own copy of the crop's features, so that one backward of the sum of the wanted
    logits gives the gradients of many pairs at once; the encoder runs only once, without gradients. The last step of
    Grad-CAM, which drops what speaks against a class, is left to the caller: it is needed where classes compete.

    Args:
        features: (N, F, h, w) of N crops.
        head: from (P, F, h, w) to (P, C) logits; crops must not influence each other (BatchNorm in eval mode).
        tags: (N, C) bool.

    Returns:
        (P, 2) int64 pairs (crop, class), and (P, h, w) heatmaps of any sign, not normalised.
    """
    pairs = torch.nonzero(tags)
    heatmaps = [_heatmaps(features, head, some) for some in torch.split(pairs, _PAIRS_AT_ONCE)]
    return pairs, torch.cat(heatmaps)


def _heatmaps(features: Tensor, head: Callable[[Tensor], Tensor], pairs: Tensor) -> Tensor:
    with torch.enable_grad():
        copies = features.detach()[pairs[:, 0]].requires_grad_(True)
        wanted = head(copies).gather(1, pairs[:, 1:]).sum()
        (gradients,) = torch.autograd.grad(wanted, copies)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * copies.detach()).sum(dim=1)


def stitch_cams(
    pairs: Tensor,
    heatmaps: Tensor,
    tiles: Sequence[Tile],
    size: tuple[int, int],
    num_classes: int,
) -> Tensor:
    """Put the heatmaps of the tiles into one map a class; where tiles overlap, their average counts.

    A tile without the tag counts as 0 in the average: the class is known not to be there.

    Args:
        pairs: (P, 2) tile and class.
        heatmaps: (P, h, w).
        tiles: of the image, in the order that `pairs` refers to.
        size: (H, W) of the image.
        num_classes: C.

    Returns:
        (C, H, W) float32.
    """
    total = torch.zeros((num_classes, *size), device=heatmaps.device)
    count = torch.zeros(size, device=heatmaps.device)
    for tile in tiles:
        count[tile.slices] += 1
    for (index, class_id), heatmap in zip(pairs.tolist(), heatmaps, strict=True):
        tile = tiles[index]
        shape = (tile.bottom - tile.top, tile.right - tile.left)
        enlarged = F.interpolate(heatmap[None, None], shape, mode="bilinear", align_corners=False)[0, 0]
        total[class_id][tile.slices] += enlarged
    return total / count.clamp_min(1)
