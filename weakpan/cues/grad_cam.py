"""Grad-CAM for all tagged classes of all tiles of an image in one pass, and the label map made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.arrays import IGNORE, SemanticMap
from weakpan.data.crops import Tile
from weakpan.errors import ConfigError


@dataclass
class CamSettings:
    """How heatmaps become labels.

    Attributes:
        rule: `published`: a class keeps what is above the threshold, and where classes collide the one with the
            smaller area wins; `candidates`: each pixel takes the strongest of the classes that tags and boxes leave it.
        threshold: share of the class's maximum above which a pixel is kept, 0..1 (the paper uses 0.5).
        tile_normalised: divide each tile's heatmap by its own maximum before overlapping tiles are averaged, so that a
            tile in which the class answers weakly keeps its share of the labels; otherwise one maximum counts for the
            whole image.
    """

    rule: str = "candidates"
    threshold: float = 0.3
    tile_normalised: bool = False

    def __post_init__(self) -> None:
        """Check the choices; raises ConfigError."""
        if self.rule not in ("published", "candidates"):
            raise ConfigError(f"cues.cam.rule={self.rule}: expected published or candidates")
        if not 0 <= self.threshold <= 1:
            raise ConfigError(f"cues.cam.threshold={self.threshold}: expected 0 to 1")


def grad_cam(features: Tensor, head: Callable[[Tensor], Tensor], tags: Tensor) -> tuple[Tensor, Tensor]:
    """Grad-CAM (Selvaraju et al., ICCV 2017) of every tagged class of every crop, with one backward through the head.

    Each (crop, class) pair gets its own copy of the crop's features, so that one backward of the sum of the wanted
    logits gives all gradients at once; the encoder runs only once, without gradients.

    Args:
        features: (N, F, h, w) of N crops.
        head: from (P, F, h, w) to (P, C) logits; crops must not influence each other (BatchNorm in eval mode).
        tags: (N, C) bool.

    Returns:
        (P, 2) int64 pairs (crop, class), and (P, h, w) heatmaps, 0 or larger, not normalised.
    """
    pairs = torch.nonzero(tags)
    with torch.enable_grad():
        copies = features.detach()[pairs[:, 0]].requires_grad_(True)
        logits = head(copies)
        wanted = logits.gather(1, pairs[:, 1:]).sum()
        (gradients,) = torch.autograd.grad(wanted, copies)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return pairs, F.relu((weights * copies.detach()).sum(dim=1))


def stitch_cams(
    pairs: Tensor,
    heatmaps: Tensor,
    tiles: Sequence[Tile],
    size: tuple[int, int],
    num_classes: int,
    settings: CamSettings,
) -> Tensor:
    """Put the heatmaps of the tiles into one map a class; where tiles overlap, their average counts.

    A tile without the tag counts as 0 in the average: the class is known not to be there.

    Args:
        pairs: (P, 2) tile and class.
        heatmaps: (P, h, w), 0 or larger.
        tiles: of the image, in the order that `pairs` refers to.
        size: (H, W) of the image.
        num_classes: C.
        settings: see `CamSettings`.

    Returns:
        (C, H, W) float32.
    """
    if settings.tile_normalised:
        heatmaps = heatmaps / heatmaps.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    total = torch.zeros((num_classes, *size), device=heatmaps.device)
    count = torch.zeros(size, device=heatmaps.device)
    for tile in tiles:
        count[tile.slices] += 1
    for (index, class_id), heatmap in zip(pairs.tolist(), heatmaps, strict=True):
        tile = tiles[index]
        shape = (tile.bottom - tile.top, tile.right - tile.left)
        enlarged = F.interpolate(heatmap[None, None], shape, mode="bilinear", align_corners=False)[0, 0]
        total[class_id][tile.slices] += enlarged
    return total / count.clamp_min(1)


def cam_labels(cams: Tensor, settings: CamSettings) -> SemanticMap:
    """The label map of a stack of heatmaps.

    A class keeps the pixels above a share of its maximum; where classes collide the one with the smaller kept area
    wins, so that small and thin objects survive (section 4.1 of the paper); other pixels are 255.

    Args:
        cams: (C, H, W), 0 or larger; a class whose map is 0 everywhere is not in the image.
        settings: see `CamSettings`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    highest = cams.amax(dim=(1, 2), keepdim=True)
    kept = (cams > settings.threshold * highest) & (highest > 0)
    areas = kept.sum(dim=(1, 2))
    labels = torch.full(cams.shape[1:], IGNORE, dtype=torch.uint8, device=cams.device)
    for class_id in torch.argsort(areas, descending=True, stable=True).tolist():
        labels[kept[class_id]] = class_id
    return labels.cpu().numpy().astype(np.uint8, copy=False)


def cam_labels_among(cams: Tensor, allowed: Tensor, settings: CamSettings) -> SemanticMap:
    """The label map of a stack of heatmaps, each pixel among the classes that it can have.

    Heatmaps are divided by their maximum over the image; a pixel takes the class with the highest value among its
    candidates if that reaches the threshold. Unlike `cam_labels` no class is ever put where tags or boxes rule it out,
    and a small class does not win where another one answers more strongly.

    Args:
        cams: (C, H, W), 0 or larger.
        allowed: (C, H, W) bool, the candidates of every pixel.
        settings: see `CamSettings`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    relative = cams / cams.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    strongest, labels = (relative * allowed).max(dim=0)
    labels = labels.to(torch.uint8).masked_fill(~((strongest >= settings.threshold) & (strongest > 0)), IGNORE)
    return labels.cpu().numpy().astype(np.uint8, copy=False)
