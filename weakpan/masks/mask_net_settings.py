"""Settings of the mask network's training; apart from it, so that a process that only reads settings needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.basics.settings import above, at_least, between, setting
from weakpan.data.loaders.box_window import WindowSettings


@dataclass
class MaskNetworkSettings:
    """The network and its initial weights.

    Attributes:
        encoder: timm model name.
        init: initial weights of the encoder: None for random ones, `pretrained` for the library's, or a file of them;
            or a mask_net.pt, whose whole network is then trained on.
        channels: of the decoder, 8..512.
    """

    encoder: str = "tf_efficientnet_lite0"
    init: str | None = None
    channels: int = setting(48, between(8, 512))


@dataclass
class MaskOptimizerSettings:
    """AdamW with a poly schedule.

    Attributes:
        learning_rate: at its highest, above 0.
        encoder_factor: the encoder's learning rate as a share of that, 0..1.
        weight_decay: 0 or more.
    """

    learning_rate: float = setting(1e-3, above(0))
    encoder_factor: float = setting(0.3, between(0, 1))
    weight_decay: float = setting(1e-2, at_least(0))


@dataclass
class MaskLossWeights:
    """Weights of the terms, see `weakpan.training.mask_losses`; the first, whether a pixel looks like a thing, has 1.

    Attributes:
        outside: no pixel outside its box belongs to an object.
        projection: the mask touches all four sides of its box.
        pairwise: neighbours of like colour belong together.
        appearance: in its box, away from smaller boxes, the object is what looks like a thing.
    """

    outside: float = setting(1.0, at_least(0))
    projection: float = setting(1.0, at_least(0))
    pairwise: float = setting(1.0, at_least(0))
    appearance: float = setting(0.5, at_least(0))


@dataclass
class MaskNetSettings:
    """The mask network of `make_gt.py stage=mask_net`, which learns from boxes and images alone.

    Attributes:
        network: and its initial weights.
        optimizer: learning rates.
        losses: weights of the terms.
        steps: batches to learn from, 1 or more.
        seed: of weights, windows and order, 0 or more.
        loaders: processes that prepare windows; 0 for none. They change nothing but the time.
        windows: how boxes are shown.
    """

    network: MaskNetworkSettings = field(default_factory=MaskNetworkSettings)
    optimizer: MaskOptimizerSettings = field(default_factory=MaskOptimizerSettings)
    losses: MaskLossWeights = field(default_factory=MaskLossWeights)
    steps: int = setting(1000, at_least(1))
    seed: int = setting(0, between(0, 2**31))
    loaders: int = setting(0, between(0, 256))
    windows: WindowSettings = field(default_factory=WindowSettings)
