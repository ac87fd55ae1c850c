"""A loss term that the package knows nothing of."""

from weakpan.basics.settings import above, check_value
from weakpan.training.losses import LossTerm


class Confidence(LossTerm):
    """Mean entropy of the unlabelled pixels (Grandvalet and Bengio, NeurIPS 2004), at a temperature."""

    needs = ("semantic",)
    teaches = ("semantic",)

    def __init__(self, weight=1.0, temperature=1.0):
        super().__init__(weight)
        check_value("temperature", temperature, above(0))
        self.temperature = temperature

    def forward(self, output, batch, context):
        logits = context.enlarge(output.semantic) / self.temperature
        entropy = -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1)
        unlabelled = batch["semantic"] == 255
        return (entropy * unlabelled).sum() / unlabelled.sum().clamp_min(1)


class NeedsDepth(LossTerm):
    """A term of something that batches do not hold."""

    needs = ("depth",)

    def forward(self, output, batch, context):  # noqa: ARG002
        return output.semantic.sum() * 0
