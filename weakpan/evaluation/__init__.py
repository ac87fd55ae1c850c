"""Scores: panoptic quality, mean IoU, instance average precision, label quality."""
