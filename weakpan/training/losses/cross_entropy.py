"""Cross-entropy with the labels of pixels, and with the tags of crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE
from weakpan.basics.settings import between, check_value
from weakpan.training.losses.term import LossContext, LossTerm


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


class CrossEntropy(LossTerm):
    """Mean cross-entropy over the labelled pixels; 0 if there are none.

    Args:
        weight: in the sum.
        class_balance: exponent of the inverse class share that pixels are weighted with, 0..1; 0 counts every pixel the
            same, 1 every class. Rare classes such as people and signs need it in a short training.
        of: field of the output that holds the logits; one that is None counts nothing.
    """

    needs = ("semantic",)

    def __init__(self, weight: float = 1.0, class_balance: float = 0.0, of: str = "semantic") -> None:
        super().__init__(weight)
        check_value("class_balance", class_balance, between(0, 1))
        self.class_balance, self.of = class_balance, of
        self.teaches = (of,)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor | None:
        """See `LossTerm`; `semantic` (B, h, w) int64, 255 where there is no label."""
        logits, target = getattr(output, self.of), batch["semantic"]
        if logits is None:
            return None
        weight = None
        if self.class_balance > 0 and context.class_share is not None:
            weight = class_weights(context.class_share, self.class_balance)
        summed = F.cross_entropy(context.enlarge(logits), target, weight=weight, ignore_index=IGNORE, reduction="sum")
        # The mean of no pixels is nan; a crop without any label must count 0 instead.
        return summed / (target != IGNORE).sum().clamp_min(1)


class TagCrossEntropy(LossTerm):
    """Mean binary cross-entropy over (crop, class) of the crop classifier."""

    needs = ("tags",)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor:  # noqa: ARG002
        """See `LossTerm`; `tags` (N, C) bool."""
        return F.binary_cross_entropy_with_logits(output.float(), batch["tags"].float())
