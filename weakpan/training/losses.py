"""Losses of the segmenter."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE
from weakpan.models.panoptic_net import PanopticOutput
from weakpan.training.settings import LossWeights

PRESENT_SHARES = (0.01, 0.3)
"""Pixels of a tile, and of a box, that a known class is asked to hold with certainty."""

_IMPOSSIBLE = -1e4
"""Logarithm of a probability that is as good as 0 in any sum."""


def candidate_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Negative log of the probability that the network gives to a pixel's candidate classes together.

    The maximum-likelihood loss for partial labels (Jin and Ghahramani, NeurIPS 2002): exact where tags and boxes leave
    one class, silent where they leave all.

    Args:
        logits: (N, C) of the pixels.
        allowed: (N, C) bool, at least one True a row.

    Returns:
        Mean over the pixels; 0 if there are none.
    """
    within = logits.masked_fill(~allowed, float("-inf")).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - within).sum() / max(1, len(logits))


def presence_loss(logits: Tensor, batch: Mapping[str, Tensor], shares: tuple[float, float]) -> Tensor:
    """Negative log of the mean probability of a known class over the pixels of a rectangle that are most likely it.

    Multiple-instance learning with a rank-weighted pooling (in the spirit of the expansion loss of Kolesnikov and
    Lampert, ECCV 2016): a tag says that its class is somewhere in the tile, not where. Together with the candidate
    sets, which say where it is not, this keeps small classes alive that no label carries.

    Args:
        logits: (N, C, h, w), at any stride of the views.
        batch: as made by `collate_views`.
        shares: of the pixels of a tile and of a box that the mean runs over, 0..1; at least one pixel.

    Returns:
        Mean over the pairs of a rectangle and a class that have a cell of the logits whose middle lies in the rectangle
        and may be of the class; 0 if there are none.
    """
    height, width = batch["semantic"].shape[-2:]
    vertical, horizontal = height / logits.shape[-2], width / logits.shape[-1]
    rows = _middles(logits.shape[-2], vertical, height, logits.device)
    columns = _middles(logits.shape[-1], horizontal, width, logits.device)
    allowed = batch["set_table"][batch["set_index"][:, rows][:, :, columns]].permute(0, 3, 1, 2)
    # Not infinite: where nothing is allowed, gradients would not be numbers.
    scores = logits.log_softmax(dim=1).masked_fill(~allowed, _IMPOSSIBLE)
    terms = [logits.sum(dim=(0, 1, 2, 3)).view(1) * 0]
    counted = [torch.zeros(1, device=logits.device)]
    # Plain numbers once: asking a GPU for each of them would wait for it each time.
    for area, present, index, is_box in zip(
        batch["present_areas"].tolist(),
        batch["present_classes"].tolist(),
        batch["present_view"].tolist(),
        batch["present_is_box"].tolist(),
        strict=True,
    ):
        top, bottom = (math.ceil(area[k] / vertical - 0.5) for k in (0, 2))
        left, right = (math.ceil(area[k] / horizontal - 0.5) for k in (1, 3))
        classes = [class_id for class_id, is_present in enumerate(present) if is_present]
        values = scores[index, classes, top:bottom, left:right].flatten(1)
        if values.numel() > 0:
            count = max(1, round(shares[int(is_box)] * values.shape[1]))
            highest = values.topk(count, dim=1).values
            terms.append(math.log(count) - highest.logsumexp(dim=1))
            counted.append((highest[:, 0] > _IMPOSSIBLE / 2).float())
    weight = torch.cat(counted)
    return torch.where(weight > 0, torch.cat(terms), 0).sum() / weight.sum().clamp_min(1)


def _middles(count: int, stride: float, size: int, device: torch.device) -> Tensor:
    """Pixels of the view under the middle of `count` cells of the logits, along one axis."""
    return ((torch.arange(count, device=device) + 0.5) * stride).long().clamp_max(size - 1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask is True; 0 if it is nowhere."""
    return (values * mask).sum() / mask.sum().clamp_min(1)


def class_weights(share: Tensor, balance: float) -> Tensor:
    """Weights of the classes in the cross-entropy; 1 on the average over the pixels.

    Args:
        share: (C,) share of the labelled pixels that each class has, summing to 1. Shares below a thousandth of an
            equal one are taken for that, so that a class that has hardly been seen does not drown the others.
        balance: exponent, 0..1.

    Returns:
        (C,) weights proportional to `share ** -balance`.
    """
    floor = 1e-3 / len(share)
    raw = share.clamp_min(floor) ** -balance
    return raw / (raw * share).sum().clamp_min(1e-12)


def segmenter_losses(
    output: PanopticOutput, batch: dict[str, Tensor], weights: LossWeights, of_classes: Tensor | None = None
) -> dict[str, Tensor]:
    """All parts of the loss at the size of the views, unweighted, and their weighted sum as `total`.

    Args:
        output: of the network, at any stride.
        batch: as made by `collate_views`.
        weights: of the sum; parts of weight 0 are not computed.
        of_classes: (C,) weights in the cross-entropy, see `class_weights`; None for 1.
    """
    size = batch["semantic"].shape[-2:]
    semantic = batch["semantic"]
    logits = _enlarge(output.semantic, size)
    parts = {"semantic": _cross_entropy(logits, semantic, of_classes)}
    if weights.candidates > 0:
        flat = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
        sets = batch["set_index"].flatten()
        unlabelled = semantic.flatten() == IGNORE
        table = batch["set_table"]
        # Rows that allow everything teach nothing; leaving them out saves most of padding and void.
        informative = unlabelled & ~table.all(dim=1)[sets]
        chosen = informative.nonzero().flatten()
        parts["candidates"] = candidate_loss(flat[chosen], table[sets[chosen]])
    if weights.presence > 0:
        parts["presence"] = presence_loss(output.semantic.float(), batch, PRESENT_SHARES)
    if weights.centre > 0:
        error = (_enlarge(output.centre, size)[:, 0] - batch["centre"]) ** 2
        parts["centre"] = masked_mean(error, batch["centre_known"])
    if weights.offset > 0:
        distance = (_enlarge(output.offset, size) - batch["offset"]).abs().sum(dim=1)
        parts["offset"] = masked_mean(distance, batch["offset_known"])
    if output.auxiliary is not None and weights.auxiliary > 0:
        parts["auxiliary"] = _cross_entropy(_enlarge(output.auxiliary, size), semantic, of_classes)
    total = parts["semantic"] + sum(
        (getattr(weights, name) * value for name, value in parts.items() if name != "semantic"),
        start=torch.zeros_like(parts["semantic"]),
    )
    return {**parts, "total": total}


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    # The mean of no pixels is nan; a view without any label must count 0 instead.
    summed = F.cross_entropy(logits, target, weight=weight, ignore_index=IGNORE, reduction="sum")
    return summed / (target != IGNORE).sum().clamp_min(1)


def _enlarge(values: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(values.float(), size, mode="bilinear", align_corners=False)
