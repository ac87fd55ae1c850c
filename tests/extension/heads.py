"""A segmenter with another semantic head, and a part that no field of its output comes from but its own."""

from torch import nn

from weakpan.models import PanopticNet


class CosineHead(nn.Module):
    """Classes by the cosine between normalised features and prototypes."""

    def __init__(self, channels, num_classes, sharpness):
        super().__init__()
        self.prototypes = nn.Conv2d(channels, num_classes, 1, bias=False)
        self.sharpness = sharpness

    def forward(self, features):
        weight = nn.functional.normalize(self.prototypes.weight, dim=1)
        return self.sharpness * nn.functional.conv2d(nn.functional.normalize(features, dim=1), weight)


class CosineNet(PanopticNet):
    """Ours, with that head."""

    def __init__(self, num_classes, encoder, channels=96, sharpness=10.0, **more):
        super().__init__(num_classes, encoder, channels=channels, **more)
        self.semantic_head = CosineHead(channels, num_classes, sharpness)
