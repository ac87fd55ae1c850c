"""Masks of things from their boxes."""
