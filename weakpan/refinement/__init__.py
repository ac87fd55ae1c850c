"""Tensor tools that seeds and labels share."""

from weakpan.refinement.settings import DiffusionSettings

__all__ = ["DiffusionSettings"]
