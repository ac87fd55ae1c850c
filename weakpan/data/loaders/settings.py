"""Crops that networks are trained on; apart from the loaders, so that who only reads settings does without torch."""

from __future__ import annotations

from dataclasses import dataclass

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import above, at_least, between, check_settings, setting


@dataclass(frozen=True)
class TagCropSettings:
    """How crops of the tag grid are shown to the classifier.

    Attributes:
        height: that every crop is scaled to, pixels; None for the grid's own.
        width: that every crop is scaled to, pixels; None for the grid's own.
        images_per_batch: all crops of this many images make a batch.
        flip: whether half of the crops are mirrored.
        colour_jitter: strength of random colour changes, 0 for none.
        scales: least and largest factor that the crops of a training batch are scaled by, drawn so that its logarithm
            is uniform. All of a crop stays visible, so that its tags stay true.

    Raises:
        ConfigError: a value out of its range, or scales that are not two factors in ascending order.
    """

    height: int | None = setting(None, at_least(1))
    width: int | None = setting(None, at_least(1))
    images_per_batch: int = setting(4, at_least(1))
    flip: bool = True
    colour_jitter: float = setting(0.3, at_least(0))
    scales: list[float] = setting([1.0, 1.0], between(0.1, 10))

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_settings(self)
        if len(self.scales) != 2 or self.scales[0] > self.scales[1]:
            raise ConfigError("expected two factors, the smaller first", key="scales", found=self.scales)


@dataclass(frozen=True)
class RandomCropSettings:
    """Size and augmentation of the random crops that the segmenter is trained on.

    Attributes:
        scale: working size as a share of the image's own, for training and prediction.
        height: of crops, pixels at working scale.
        width: of crops, pixels at working scale.
        min_scale: least random factor on top of `scale`.
        max_scale: largest random factor on top of `scale`.
        flip: whether half of the crops are mirrored.
        colour_jitter: strength of random colour changes, 0 for none.
        batch_size: crops a training step and rank.
        centre_sigma: standard deviation of the centre heatmap's Gaussians, pixels at working scale.

    Raises:
        ConfigError: a value out of its range.
    """

    scale: float = setting(1.0, above(0))
    height: int = setting(128, at_least(1))
    width: int = setting(256, at_least(1))
    min_scale: float = setting(0.5, above(0))
    max_scale: float = setting(2.0, above(0))
    flip: bool = True
    colour_jitter: float = setting(0.3, at_least(0))
    batch_size: int = setting(8, at_least(1))
    centre_sigma: float = setting(4.0, above(0))

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_settings(self)
        if self.max_scale < self.min_scale:
            raise ConfigError(f"expected at least min_scale, {self.min_scale:g}", key="max_scale", found=self.max_scale)
