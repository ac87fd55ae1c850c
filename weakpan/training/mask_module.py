"""The mask network as a LightningModule: fit on boxes alone."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from weakpan.masks.mask_net_settings import MaskLossWeights
from weakpan.training.base import TrainingModule
from weakpan.training.mask_losses import mask_losses


class MaskModule(TrainingModule):
    """Learns masks from boxes: projections, like colours, and what looks like the outside of all boxes.

    Its losses are computed together, from weights (`MaskLossWeights`), since they share most of their work.
    """

    name = "masks"

    def configure_losses(self, losses: Any) -> None:
        """Keep the weights."""
        assert isinstance(losses, MaskLossWeights)
        self.loss_weights = losses

    def configure_models(self) -> None:
        """Nothing to freeze: every part has a loss."""

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """The weighted sum of the losses; all parts are logged."""
        output = self.network(batch["windows"].float() / 255, batch["coordinates"])
        parts = mask_losses(output, batch, self.loss_weights)
        self.log_dict(
            {f"masks/{name}": value for name, value in parts.items()},
            on_step=True,
            on_epoch=False,
            batch_size=len(batch["windows"]),
        )
        return parts["total"]
