"""LightningModules around the networks, losses and schedules."""

from weakpan.training.base import TrainingModule
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.mask_module import MaskModule
from weakpan.training.segmenter_module import SegmenterModule

__all__ = ["ClassifierModule", "MaskModule", "SegmenterModule", "TrainingModule"]
