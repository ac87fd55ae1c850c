"""How images are shown to the networks; apart from the loaders, so that who only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from weakpan.basics.errors import ConfigError


@dataclass
class CropSettings:
    """How tiles are shown to the classifier.

    Attributes:
        height: that every tile is scaled to, pixels; None for the grid's own.
        width: that every tile is scaled to, pixels; None for the grid's own.
        images_per_batch: all tiles of this many images make a batch.
        flip: whether half of the tiles are mirrored.
        colour_jitter: strength of random colour changes, 0 for none.
        scales: least and largest factor that the tiles of a training batch are scaled by, drawn so that its logarithm
            is uniform. All of a tile stays in view, so that its tags stay true.

    Raises:
        ConfigError: scales that are not two factors from 0.1 to 10 in ascending order.
    """

    height: int | None = None
    width: int | None = None
    images_per_batch: int = 4
    flip: bool = True
    colour_jitter: float = 0.3
    scales: list[float] = field(default_factory=lambda: [1.0, 1.0])

    def __post_init__(self) -> None:
        """Check the scales."""
        if len(self.scales) != 2 or not 0.1 <= self.scales[0] <= self.scales[1] <= 10:
            raise ConfigError(
                f"classifier.crops.scales={list(self.scales)}: expected two factors from 0.1 to 10, the smaller first"
            )


@dataclass
class ViewSettings:
    """What the segmenter sees.

    Attributes:
        scale: working size as a share of the photograph's own, for training and prediction.
        crop_height: of training crops, pixels at working scale.
        crop_width: of training crops, pixels at working scale.
        min_scale: least random factor on top of `scale`.
        max_scale: largest random factor on top of `scale`.
        flip: whether half of the crops are mirrored.
        colour_jitter: strength of random colour changes, 0 for none.
        batch_size: crops a training step and rank.
        centre_sigma: standard deviation of the centre heatmap's Gaussians, pixels at working scale.
    """

    scale: float = 1.0
    crop_height: int = 128
    crop_width: int = 256
    min_scale: float = 0.5
    max_scale: float = 2.0
    flip: bool = True
    colour_jitter: float = 0.3
    batch_size: int = 8
    centre_sigma: float = 4.0
