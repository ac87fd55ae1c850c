"""Tensor tools that seeds and labels share."""
