"""Small things that every room may use: arrays, class table, panoptic ids, errors, console."""
