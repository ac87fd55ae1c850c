"""From network output to a panoptic map without overlaps: centres, grouping, majority vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.basics.settings import Range, at_least, between, setting

_ODD = Range("an odd number, 1 or more", lambda v: isinstance(v, int) and v >= 1 and v % 2 == 1)


@dataclass(frozen=True)
class PanopticDecoder:
    """Thresholds of the decoder; called with the output of one image it makes a panoptic map, see `decode_panoptic`.

    Attributes:
        centre_threshold: least heatmap value of a centre, 0..1.
        centre_window: side of the window in which a centre must be the maximum, in pixels of the result, odd.
        max_instances: centres kept an image, strongest first.
        min_thing_area: smaller instances are dropped, in pixels of the result.
        min_stuff_area: smaller segments of stuff are dropped, in pixels of the result.
    """

    centre_threshold: float = setting(0.1, between(0, 1))
    centre_window: int = setting(7, _ODD)
    max_instances: int = setting(200, at_least(1))
    min_thing_area: int = setting(16, at_least(0))
    min_stuff_area: int = setting(64, at_least(0))

    def __call__(self, probabilities: Tensor, centre: Tensor, offset: Tensor, is_thing: Tensor) -> PanopticMap:
        """See `decode_panoptic`."""
        return decode_panoptic(probabilities, centre, offset, is_thing, self)


def find_centres(heatmap: Tensor, settings: PanopticDecoder) -> tuple[Tensor, Tensor]:
    """Local maxima of a centre heatmap.

    Args:
        heatmap: (H, W), about 0..1.
        settings: threshold, window and number.

    Returns:
        (K, 2) rows and columns as float32, and (K,) heatmap values, strongest first.
    """
    window = settings.centre_window
    highest = F.max_pool2d(heatmap[None, None], window, stride=1, padding=window // 2)[0, 0]
    rows, columns = torch.nonzero((heatmap == highest) & (heatmap > settings.centre_threshold), as_tuple=True)
    values = heatmap[rows, columns]
    order = torch.argsort(values, descending=True, stable=True)[: settings.max_instances]
    return torch.stack([rows[order], columns[order]], dim=1).float(), values[order]


def group_pixels(offset: Tensor, mask: Tensor, centres: Tensor) -> Tensor:
    """Give every pixel of a mask to the centre that it points nearest to.

    Args:
        offset: (2, H, W) vectors (dy, dx) in pixels.
        mask: (H, W) bool, the pixels of things.
        centres: (K, 2) rows and columns, K >= 1.

    Returns:
        (H, W) int64: 0 outside the mask, k + 1 for centre k.
    """
    groups = torch.zeros(mask.shape, dtype=torch.int64, device=mask.device)
    rows, columns = torch.nonzero(mask, as_tuple=True)
    if rows.numel() == 0:
        return groups
    target = torch.stack([rows, columns], dim=1).float() + offset[:, rows, columns].T
    nearest = [torch.cdist(part, centres).argmin(dim=1) for part in torch.split(target, 65536)]
    groups[rows, columns] = torch.cat(nearest) + 1
    return groups


def decode_panoptic(
    probabilities: Tensor, centre: Tensor, offset: Tensor, is_thing: Tensor, settings: PanopticDecoder
) -> PanopticMap:
    """Merge semantic and instance output of one image.

    Pixels whose most likely class is a thing go to the nearest centre by their offset; each group takes the class of
    most of its pixels. Stuff keeps its pixels. The score of a segment is the mean probability of its class over its
    pixels, for things times the value of the centre (Cheng et al., CVPR 2020).

    Args:
        probabilities: (C, H, W) class probabilities.
        centre: (H, W) heatmap.
        offset: (2, H, W) vectors (dy, dx) in pixels of this grid.
        is_thing: (C,) bool.
        settings: thresholds.

    Returns:
        The panoptic map at H x W; pixels of dropped segments are 0.
    """
    best, semantic = probabilities.max(dim=0)
    thing_pixels = is_thing[semantic]
    centres, strength = find_centres(centre, settings)
    groups = group_pixels(offset, thing_pixels, centres) if len(centres) else torch.zeros_like(semantic)
    votes = torch.bincount(
        (groups * len(is_thing) + semantic).flatten(), minlength=(len(centres) + 1) * len(is_thing)
    ).view(len(centres) + 1, -1)
    votes[0] = 0

    ids = torch.zeros_like(semantic, dtype=torch.int32)
    segments: list[Segment] = []
    for group in torch.nonzero(votes.sum(dim=1) >= max(1, settings.min_thing_area)).flatten().tolist():
        class_id = int(votes[group].argmax())
        inside = groups == group
        score = probabilities[class_id][inside].mean() * strength[group - 1].clamp(0, 1)
        segments.append(Segment(len(segments) + 1, class_id, float(score)))
        ids[inside] = len(segments)
    areas = torch.bincount(semantic[~thing_pixels].flatten(), minlength=len(is_thing)).tolist()
    for class_id, area in enumerate(areas):
        if area >= max(1, settings.min_stuff_area):
            inside = ~thing_pixels & (semantic == class_id)
            segments.append(Segment(len(segments) + 1, class_id, float(best[inside].mean())))
            ids[inside] = len(segments)
    return PanopticMap(ids.cpu().numpy().astype(np.int32, copy=False), tuple(segments))
