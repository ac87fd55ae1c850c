"""Masks, seeds and labels against ground truth: scores and pictures that label making cannot read."""
