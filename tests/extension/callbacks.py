"""A Lightning callback that the package knows nothing of."""

import pytorch_lightning as pl
import torch


class GradientNorm(pl.Callback):
    """Logs the norm of all gradients before a step of the optimizer, averaged over the steps of an epoch."""

    def __init__(self, name="gradient_norm"):
        self.name = name

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):  # noqa: ARG002
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        pl_module.log(self.name, norm, on_step=False, on_epoch=True)
