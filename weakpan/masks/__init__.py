"""Masks in boxes; sources that the group `masks` of the configuration can name."""

from weakpan.masks.coco import CocoMasks
from weakpan.masks.contours import Contours, LabContours
from weakpan.masks.grabcut_and_proposals import GrabCutAndProposals
from weakpan.masks.map_files import IdMasks, ReleasedMasks
from weakpan.masks.mcg import McgMasks
from weakpan.masks.network import NetworkMasks
from weakpan.masks.sam import SamMasks
from weakpan.masks.source import MaskSource

__all__ = [
    "CocoMasks",
    "Contours",
    "GrabCutAndProposals",
    "IdMasks",
    "LabContours",
    "MaskSource",
    "McgMasks",
    "NetworkMasks",
    "ReleasedMasks",
    "SamMasks",
]
