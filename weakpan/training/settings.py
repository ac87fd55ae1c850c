"""The dials of losses and optimisers; apart from these, so that who only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LossWeights:
    """Weights of the parts of the loss.

    Attributes:
        class_balance: exponent of the inverse class share that pixels are weighted with in the cross-entropy, 0..1; 0
            counts every pixel the same, 1 every class. Rare classes such as people and signs need it in a short
            training.
        candidates: of the candidate-set loss on unlabelled pixels; 0 is the published scheme, in which they count
            nothing.
        presence: of the loss that asks for every tag somewhere in its tile and for the class of every box in it; 0 is
            the published scheme.
        centre: of the centre heatmap.
        offset: of the offsets, whose error is measured in pixels.
        auxiliary: of the second semantic classifier, where the network has one (0.4 in PSPNet).
    """

    class_balance: float = 0.5
    candidates: float = 1.0
    presence: float = 0.6
    centre: float = 100.0
    offset: float = 0.02
    auxiliary: float = 0.4


@dataclass
class OptimiserSettings:
    """How weights are updated.

    Attributes:
        name: `adamw`, or `sgd` with momentum 0.9 as published for PSPNet.
        learning_rate: of the heads at its highest.
        encoder_factor: the encoder's learning rate as a share of the heads'.
        weight_decay: on weights of more than one dimension; not on biases and normalisation.
        power: of the poly schedule `(1 - step / steps) ** power`.
        warmup: share of the steps over which the learning rate rises linearly from 0.
    """

    name: str = "adamw"
    learning_rate: float = 1e-3
    encoder_factor: float = 1.0
    weight_decay: float = 1e-2
    power: float = 0.9
    warmup: float = 0.05
