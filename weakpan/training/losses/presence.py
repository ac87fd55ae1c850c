"""The loss that asks for a known class somewhere in its crop or box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from weakpan.basics.settings import between, check_value
from weakpan.training.losses.term import LossContext, LossTerm

_IMPOSSIBLE = -1e4
"""Logarithm of a probability that is as good as 0 in any sum."""


def presence_loss(logits: Tensor, batch: Mapping[str, Tensor], shares: tuple[float, float]) -> Tensor:
    """Negative log of the mean probability of a known class over the pixels of a rectangle that are most likely it.

    Multiple-instance learning with a rank-weighted pooling (in the spirit of the expansion loss of Kolesnikov and
    Lampert, ECCV 2016): a tag says that its class is somewhere in the crop, not where. Together with the candidate
    sets, which say where it is not, this keeps small classes alive that no label carries.

    Args:
        logits: (N, C, h, w), at any stride of the views.
        batch: as made by `collate_views`: `semantic`, `set_index`, `set_table` and `present_*`.
        shares: of the pixels of a crop and of a box that the mean runs over, 0..1; at least one pixel.

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


class Presence(LossTerm):
    """`presence_loss` of tags in their crops and of classes in their boxes; the published scheme has no such term.

    Args:
        weight: in the sum.
        crop_share: share of the pixels of a crop of the tag grid that its class is asked to hold with certainty, 0..1.
        box_share: the same of a box.
    """

    needs = (
        "semantic", "set_index", "set_table", "present_view", "present_areas", "present_classes", "present_is_box",
    )  # fmt: skip
    teaches = ("semantic",)

    def __init__(self, weight: float = 1.0, crop_share: float = 0.01, box_share: float = 0.3) -> None:
        super().__init__(weight)
        check_value("crop_share", crop_share, between(0, 1))
        check_value("box_share", box_share, between(0, 1))
        self.shares = (crop_share, box_share)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor:  # noqa: ARG002
        """See `LossTerm`."""
        return presence_loss(output.semantic.float(), batch, self.shares)
