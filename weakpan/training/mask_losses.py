"""Losses of the mask network, which a box alone gives, without a mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE
from weakpan.masks.mask_net_settings import MaskLossWeights
from weakpan.models.mask_net import MaskOutput

# Likeness of neighbours is exp(-distance / 5) in Lab of 8 bits, where a step of 1 in L of 0..100 is one of 2.55: there
# brightness counts as in the paper, and hue less. What is below the threshold counts nothing. Neighbours are this many
# pixels apart.
_LIKENESS_SCALE = 5.0
_LEAST_LIKENESS = 0.3
_APART = 2
# Masks are compared at half the window's resolution.
_REDUCE = 2


def outside_loss(logits: Tensor, inside: Tensor) -> Tensor:
    """Cross-entropy with "not the object" of the pixels that are not `inside`, as a mean over all; both (B, h, w)."""
    return (F.softplus(logits) * (1 - inside)).mean()


def projection_loss(probability: Tensor, inside: Tensor) -> Tensor:
    """Dice distance of the projections of mask and box onto both axes (Tian et al., CVPR 2021).

    Args:
        probability: (B, h, w), 0..1.
        inside: (B, h, w), 1 in the box and 0 outside.

    Returns:
        Mean over the batch, 0 (the mask fills every row and column of its box somewhere) to 2.
    """
    parts = []
    for axis in (1, 2):
        mask, box = (probability * inside).amax(dim=axis), inside.amax(dim=axis)
        shared = (mask * box).sum(dim=1)
        parts.append(1 - 2 * shared / ((mask**2).sum(dim=1) + (box**2).sum(dim=1)).clamp_min(1e-5))
    return (parts[0] + parts[1]).mean()


def pairwise_loss(logits: Tensor, lab: Tensor, inside: Tensor) -> Tensor:
    """Negative log probability that neighbours of like colour are both the object or both not (Tian et al., CVPR 2021).

    Args:
        logits: (B, h, w).
        lab: (B, 3, h, w) colours in Lab, 0..255.
        inside: (B, h, w); pairs without a pixel in the box are not counted.

    Returns:
        Mean over the pairs of like colour; 0 if there are none.
    """
    total, count = logits.sum() * 0, logits.new_zeros(())
    yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
    for first, second in _pairs(_APART):
        likeness = torch.exp(-(lab[(..., *first)] - lab[(..., *second)]).norm(dim=1) / _LIKENESS_SCALE)
        near = (inside[(..., *first)] + inside[(..., *second)]) > 0
        counted = (likeness >= _LEAST_LIKENESS) & near
        agree = torch.logaddexp(yes[(..., *first)] + yes[(..., *second)], no[(..., *first)] + no[(..., *second)])
        total = total - (agree * counted).sum()
        count = count + counted.sum()
    return total / count.clamp_min(1)


def _pairs(d: int) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Rows and columns of both ends of all pairs to the right, down, and on the two diagonals."""
    every, ahead, behind = slice(None), slice(d, None), slice(None, -d)
    return [
        ((every, ahead), (every, behind)),
        ((ahead, every), (behind, every)),
        ((ahead, ahead), (behind, behind)),
        ((ahead, behind), (behind, ahead)),
    ]


def mask_losses(output: MaskOutput, batch: dict[str, Tensor], weights: MaskLossWeights) -> dict[str, Tensor]:
    """All terms of the loss, unweighted, and their weighted sum as `total`.

    Args:
        output: of the network.
        batch: as made from `BoxWindows`.
        weights: of the sum.
    """
    side = batch["things"].shape[-1]
    thing = F.interpolate(output.thing, (side, side), mode="bilinear", align_corners=False)[:, 0]
    known = (batch["things"] != IGNORE).float()
    thinglike = F.binary_cross_entropy_with_logits(thing, (batch["things"] == 1).float(), reduction="none")
    size = (side // _REDUCE, side // _REDUCE)
    logits = F.interpolate(output.mask, size, mode="bilinear", align_corners=False)[:, 0]
    inside = (_reduced(batch["coordinates"][:, 3], size) >= 0.5).float()
    lab = F.adaptive_avg_pool2d(batch["lab"], size)
    # Smaller boxes are in front: appearance cannot tell whose pixels theirs are.
    alone = inside * (1 - _reduced(batch["front"], size))
    expected = _reduced(thing.detach().sigmoid(), size)
    distance = F.binary_cross_entropy_with_logits(logits, expected, reduction="none")
    parts = {
        "thing": (thinglike * known).sum() / known.sum().clamp_min(1),
        "outside": outside_loss(logits, inside),
        "projection": projection_loss(logits.sigmoid(), inside),
        "pairwise": pairwise_loss(logits, lab, inside),
        "appearance": (distance * alone).sum() / alone.sum().clamp_min(1),
    }
    total = parts["thing"] + sum(
        (getattr(weights, name) * value for name, value in parts.items() if name != "thing"),
        start=torch.zeros_like(parts["thing"]),
    )
    return {**parts, "total": total}


def _reduced(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) to (B, *size) by averaging."""
    return F.adaptive_avg_pool2d(values[:, None], size)[:, 0]
