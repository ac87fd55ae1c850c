"""A term of a loss, and what the terms of one training step share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakpan.basics.settings import at_least, check_value


class LossContext:
    """State of one training step that its terms share.

    Args:
        size: (h, w) of the images that the network was shown.
        class_share: (C,) running share that each class has of the labelled pixels, summing to 1; None where nobody
            counts.
    """

    def __init__(self, size: torch.Size, class_share: Tensor | None = None) -> None:
        self.size, self.class_share = size, class_share
        self._enlarged: dict[int, tuple[Tensor, Tensor]] = {}

    def enlarge(self, values: Tensor) -> Tensor:
        """(B, C, h, w) of any stride to float32 at `size`, bilinear; each tensor is enlarged once a step."""
        if id(values) not in self._enlarged:
            large = F.interpolate(values.float(), self.size, mode="bilinear", align_corners=False)
            # With the tensor itself, so that no other one gets its id.
            self._enlarged[id(values)] = values, large
        return self._enlarged[id(values)][1]


class LossTerm(nn.Module):
    """Base class of the terms that `losses` names.

        losses:
          semantic: {_target_: weakpan.training.losses.CrossEntropy, weight: 1.0}
          mine: {_target_: my_package.MyTerm, weight: 0.1}

    Args:
        weight: in the sum of all terms, 0 or more; a term of weight 0 is left out.

    Attributes:
        needs: keys that the batch must hold.
        teaches: fields of the network's output that gradients flow into; None for all of them. Parts of the network
            that serve no taught field are frozen (`branches` of `weakpan.models.PanopticNet`).

    Raises:
        ConfigError: a negative weight.
    """

    needs: tuple[str, ...] = ()
    teaches: tuple[str, ...] | None = None

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        check_value("weight", weight, at_least(0))
        self.weight = weight

    def forward(self, output: Any, batch: Mapping[str, Tensor], context: LossContext) -> Tensor | None:
        """The unweighted value, a scalar; None where this step has nothing to say about it.

        Args:
            output: of the network; of the segmenter a `PanopticOutput`, of the classifier (N, C) logits.
            batch: as the loader made it; see `weakpan.data.loaders`.
            context: of the step.
        """
        raise NotImplementedError
