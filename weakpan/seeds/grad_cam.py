"""Grad-CAM for all tagged classes of all crops of an image, and its crops put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.data.crops import Crop

_VALUES_AT_ONCE = 2**26
"""Values of copied features that are held at a time; one backward serves all of these copies."""


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
    if len(pairs) == 0:
        return pairs, features.new_zeros((0, *features.shape[2:]))
    at_once = max(1, _VALUES_AT_ONCE // features[0].numel())
    heatmaps = [_heatmaps(features, head, some) for some in torch.split(pairs, at_once)]
    return pairs, torch.cat(heatmaps)


def _heatmaps(features: Tensor, head: Callable[[Tensor], Tensor], pairs: Tensor) -> Tensor:
    with torch.enable_grad():
        copies = features.detach()[pairs[:, 0]].requires_grad_(True)
        wanted = head(copies).gather(1, pairs[:, 1:]).sum()
        (gradients,) = torch.autograd.grad(wanted, copies)
    # Their sum, not their mean: heads average over places, so that the gradient at one place shrinks as maps grow, and
    # maps of crops shown at several scales could not be averaged. At one scale no label depends on the factor.
    weights = gradients.sum(dim=(2, 3), keepdim=True)
    return (weights * copies.detach()).sum(dim=1)


def stitch_cams(
    pairs: Tensor,
    heatmaps: Tensor,
    crops: Sequence[Crop],
    size: tuple[int, int],
    num_classes: int,
) -> Tensor:
    """Put the heatmaps of the crops into one map a class; where crops overlap, their average counts.

    A crop without the tag counts as 0 in the average: the class is known not to be there.

    Args:
        pairs: (P, 2) crop and class.
        heatmaps: (P, h, w).
        crops: of the image, in the order that `pairs` refers to.
        size: (H, W) of the image.
        num_classes: C.

    Returns:
        (C, H, W) float32.
    """
    total = torch.zeros((num_classes, *size), device=heatmaps.device)
    count = torch.zeros(size, device=heatmaps.device)
    for crop in crops:
        count[crop.slices] += 1
    for (index, class_id), heatmap in zip(pairs.tolist(), heatmaps, strict=True):
        crop = crops[index]
        shape = (crop.bottom - crop.top, crop.right - crop.left)
        enlarged = F.interpolate(heatmap[None, None], shape, mode="bilinear", align_corners=False)[0, 0]
        total[class_id][crop.slices] += enlarged
    return total.div_(count.clamp_min(1))
