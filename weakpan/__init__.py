"""weakpan: panoptic segmentation from bounding boxes and image tags."""

__version__ = "0.1.0"
