"""Networks as plain nn.Modules; they know neither Lightning nor files."""

from weakpan.models.crop_classifier import CropClassifier
from weakpan.models.mask_net import MaskNet
from weakpan.models.panoptic_net import PanopticNet

__all__ = ["CropClassifier", "MaskNet", "PanopticNet"]
