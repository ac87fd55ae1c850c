"""Data sets and loaders for training and prediction."""
