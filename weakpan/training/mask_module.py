"""The mask network as a LightningModule: fit on boxes alone."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from weakpan.models.mask_net import MaskNet
from weakpan.training.mask_losses import mask_losses
from weakpan.training.mask_net_settings import MaskLossWeights
from weakpan.training.optimisers import configure
from weakpan.training.settings import OptimiserSettings


class MaskModule(pl.LightningModule):
    """Learns masks from boxes: projections, like colours, and what looks like the outside of all boxes.

    Args:
        network: the mask network.
        optimiser: settings.
        losses: weights of the loss parts.
    """

    def __init__(self, network: MaskNet, optimiser: OptimiserSettings, losses: MaskLossWeights) -> None:
        super().__init__()
        self.network, self.optimiser, self.losses = network, optimiser, losses

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """The weighted sum of the losses; all parts are logged."""
        output = self.network(batch["windows"].float() / 255, batch["coordinates"])
        parts = mask_losses(output, batch, self.losses)
        self.log_dict(
            {f"masks/{name}": value for name, value in parts.items()},
            on_step=True,
            on_epoch=False,
            batch_size=len(batch["windows"]),
        )
        return parts["total"]

    def configure_optimizers(self) -> Any:
        """Optimiser and poly schedule over the whole fit."""
        steps = int(self.trainer.estimated_stepping_batches)
        return configure(self.network, self.network.encoder, self.optimiser, steps)
