"""Losses of the instance heads: centres and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from weakpan.training.losses.term import LossContext, LossTerm


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask is True; 0 if it is nowhere."""
    return (values * mask).sum() / mask.sum().clamp_min(1)


class CentreHeatmap(LossTerm):
    """Mean squared error of the centre heatmap where it is known (Cheng et al., CVPR 2020)."""

    needs = ("centre", "centre_known")
    teaches = ("centre",)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor:
        """See `LossTerm`; `centre` (B, h, w) 0..1 and `centre_known` (B, h, w) bool."""
        error = (context.enlarge(output.centre)[:, 0] - batch["centre"]) ** 2
        return masked_mean(error, batch["centre_known"])


class CentreOffsets(LossTerm):
    """Mean L1 distance between predicted and true offsets to the centre, in pixels (Cheng et al., CVPR 2020)."""

    needs = ("offset", "offset_known")
    teaches = ("offset",)

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor:
        """See `LossTerm`; `offset` (B, 2, h, w) as (dy, dx) and `offset_known` (B, h, w) bool."""
        distance = (context.enlarge(output.offset) - batch["offset"]).abs().sum(dim=1)
        return masked_mean(distance, batch["offset_known"])
