"""Seeds: what tags say about single pixels, by Grad-CAM or by a source of one's own."""

from weakpan.seeds.grad_cam_seeds import GradCamSeeds
from weakpan.seeds.rules import Competing, HeatmapRule, PublishedRule
from weakpan.seeds.set_seeds import SetSeeds
from weakpan.seeds.source import SeedJob, SeedSource

__all__ = ["Competing", "GradCamSeeds", "HeatmapRule", "PublishedRule", "SeedJob", "SeedSource", "SetSeeds"]
