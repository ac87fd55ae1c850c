"""From the stitched heatmaps of an image to its label map, whether they come from a network or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE, RGBImage, SemanticMap
from weakpan.basics.torch_threads import one_thread
from weakpan.data.candidates import CandidateSets
from weakpan.seeds.heatmaps import CamHeatmaps, half_size, in_steps
from weakpan.seeds.rules import competing_labels, published_labels
from weakpan.seeds.settings import PUBLISHED, CamSettings


@dataclass(frozen=True)
class Known:
    """What the competing rule asks about the pixels of an image beside its heatmaps.

    Attributes:
        table: (S, C) bool, candidates as in `CandidateSets`.
        index: (H, W) int32, the same.
        image: (3, h, w) uint8, the photograph; where no probabilities flow, of any size.
    """

    table: Tensor
    index: Tensor
    image: Tensor


def taking_part(tagged: Sequence[int], settings: CamSettings, known: Known | None) -> list[int]:
    """The tagged classes that can get a pixel: by the competing rule those that some pixel has among its candidates.

    Args:
        tagged: train ids.
        settings: the rule.
        known: about the pixels; the published rule does without.
    """
    if settings.rule == PUBLISHED or known is None:
        return list(tagged)
    # Row 0 stands for pixels that tags and boxes leave no class.
    somewhere = known.table[1:].any(dim=0).tolist()
    return [class_id for class_id in tagged if somewhere[class_id]]


def cut_labels(
    classes: Sequence[int], cams: Tensor, settings: CamSettings, known: Known | None, peaks: Tensor | None = None
) -> SemanticMap:
    """The label map of an image.

    Args:
        classes: (K,) train ids, those of `taking_part`.
        cams: (K, H, W) their heatmaps, by the published rule 0 or larger, by the competing one of any sign.
        settings: the rule and its dials.
        known: about the pixels; the published rule does without.
        peaks: (K,) the maxima that the published rule takes a share of; None for those of `cams`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.

    Raises:
        ValueError: nothing known where it is needed.
    """
    if settings.rule == PUBLISHED:
        positions = published_labels(cams, settings.threshold, peaks)
    elif known is None:
        raise ValueError("the competing rule needs candidates and photograph")
    else:
        possible = known.table.T[list(classes)].contiguous()
        possible[:, 0] = False
        allowed = possible.index_select(1, known.index.flatten()).view(cams.shape)
        positions = competing_labels(cams, allowed, known.image, settings)
    names = np.full(256, IGNORE, np.uint8)
    names[: len(classes)] = classes
    labels: SemanticMap = names[positions]
    return labels


def to_keep(classes: Sequence[int], positive: Tensor, signed: Tensor, crop: tuple[int, int]) -> CamHeatmaps:
    """Halve and round heatmaps for the disk.

    Args:
        classes: (K,) train ids, ascending.
        positive: (K, H, W) stitched Grad-CAMs with their ReLU.
        signed: (K, H, W) the same without it.
        crop: height and width of a tile of the crop grid, pixels.
    """
    size = (signed.shape[1], signed.shape[2])
    halves = [F.interpolate(maps[None], half_size(size), mode="area")[0].cpu() for maps in (positive, signed)]
    speaks_for = halves[0]
    speaks_against = (speaks_for - halves[1]).clamp_min(0)
    positive_steps, positive_step = in_steps(speaks_for.numpy())
    negative_steps, negative_step = in_steps(speaks_against.numpy())
    peaks = positive.amax(dim=(1, 2)).cpu().numpy()
    return CamHeatmaps(size, crop, tuple(classes), positive_steps, negative_steps, positive_step, negative_step, peaks)


def cut_kept(
    kept: CamHeatmaps, settings: CamSettings, sets: CandidateSets | None, photograph: RGBImage | None
) -> SemanticMap:
    """The label map of an image from kept heatmaps, on the CPU; the same for any number of threads.

    Args:
        kept: heatmaps.
        settings: the rule; scales and mirror images are those of the heatmaps.
        sets: candidates of all pixels; None for the published rule.
        photograph: (H, W, 3) RGB; None where no probabilities flow.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    pixels = np.zeros((1, 1, 3), np.uint8) if photograph is None else photograph
    known = None
    if sets is not None:
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        known = Known(torch.from_numpy(sets.table), torch.from_numpy(sets.index), image)
    # Sums in another order, as other numbers of threads make them, could change a label.
    with one_thread(), torch.inference_mode():
        some = kept.only(taking_part(kept.classes, settings, known))
        halves = torch.from_numpy(some.speaks_for() if settings.rule == PUBLISHED else some.signed())
        cams = halves.new_zeros((0, *kept.size))
        if len(halves) > 0:
            cams = F.interpolate(halves[None], kept.size, mode="bilinear", align_corners=False)[0]
        return cut_labels(some.classes, cams, settings, known, torch.from_numpy(some.peaks))
