"""What label making may be told: the configuration group `labels`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weakpan.basics.errors import ConfigError

STEPS = ("score_threshold", "tag_check", "mask_merge", "box_prior", "low_iou_fill")
"""The rules that make semantic labels, in the published order."""


@dataclass
class LabelSettings:
    """How pseudo labels are made.

    The defaults are those of the authors' released code. For images with coarse annotations it leaves out `tag_check`
    and `box_prior` and makes no instance maps.

    Attributes:
        steps: names out of `STEPS`, each at most once; each step sees the result of the one before. A name that is
            left out is a step switched off.
        score_threshold: predictions that score below become 255, 0..1; not used in round 0, which has no scores.
        kept_share: of the pixels of each class in an image, at least this share survives the score threshold, 0..1; 0
            is the published rule.
        fill_threshold: boxes labelled to less than this fraction are filled, 0..1.
        fill_over_things: let the fill overwrite other things too, not only stuff and 255.
        mask_rounds: the last round in which masks in boxes are merged; from then on the network knows better.
        instances: make instance maps; else they are -1 everywhere.

    Raises:
        ConfigError: an unknown or repeated step, or a value out of range; the message names the key.
    """

    steps: tuple[str, ...] = STEPS
    score_threshold: float = 0.99
    kept_share: float = 0.0
    fill_threshold: float = 0.5
    fill_over_things: bool = False
    mask_rounds: int = 5
    instances: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        object.__setattr__(self, "steps", _checked_steps(self.steps))
        for name in ("score_threshold", "kept_share", "fill_threshold"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"labels.{name}={value!r}: expected a number from 0 to 1")
        if type(self.mask_rounds) is not int or self.mask_rounds < 0:
            raise ConfigError(f"labels.mask_rounds={self.mask_rounds!r}: expected a whole number, at least 0")
        for name in ("fill_over_things", "instances"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"labels.{name}={getattr(self, name)!r}: expected true or false")

    def steps_in_round(self, round_index: int) -> tuple[str, ...]:
        """The steps that apply in a round, in their order.

        Args:
            round_index: 0 for the labels made from CAMs, r >= 1 for those made from the r-th trained network.
        """
        skipped = set()
        if round_index == 0:
            skipped.add("score_threshold")
        if round_index > self.mask_rounds:
            skipped.add("mask_merge")
        return tuple(step for step in self.steps if step not in skipped)


def _checked_steps(steps: object) -> tuple[str, ...]:
    # A configuration file gives a list; a plain string would be taken apart into letters.
    if isinstance(steps, str) or not isinstance(steps, Sequence):
        raise ConfigError(f"labels.steps={steps!r}: expected a list of names out of {', '.join(STEPS)}")
    names = tuple(steps)
    for name in names:
        if name not in STEPS:
            raise ConfigError(f"labels.steps: no step is called {name!r}; use names out of {', '.join(STEPS)}")
        if names.count(name) > 1:
            raise ConfigError(f"labels.steps: {name} occurs twice; leave one out")
    return names
