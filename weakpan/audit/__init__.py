"""Masks, seeds and labels against real labels: scores and pictures that label making cannot read."""
