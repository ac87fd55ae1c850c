"""From the heatmaps of an image to its label map, whether they come from a network or from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE, RGBImage, SemanticMap
from weakpan.basics.torch_threads import one_thread
from weakpan.data.candidates import CandidateSets
from weakpan.data.crops import CropGrid
from weakpan.seeds.grad_cam import stitch_cams
from weakpan.seeds.heatmaps import CamHeatmaps, half_size, in_steps
from weakpan.seeds.rules import HeatmapRule


@dataclass(frozen=True)
class Pixels:
    """The pixels of an image: the classes that they can have, and their colours.

    Attributes:
        table: (S, C) bool, candidates as in `CandidateSets`.
        index: (H, W) int32, the same.
        image: (3, h, w) uint8 RGB; of any size where the rule does not look at it.
    """

    table: Tensor
    index: Tensor
    image: Tensor

    def possible(self, classes: Sequence[int]) -> list[int]:
        """Those of some classes that a pixel has among its candidates."""
        # Row 0 stands for pixels that tags and boxes leave no class.
        somewhere = self.table[1:].any(dim=0).tolist()
        return [class_id for class_id in classes if somewhere[class_id]]

    def allowed(self, classes: Sequence[int]) -> Tensor:
        """(K, H, W) bool, whether a pixel has a class among its candidates."""
        allowed = self.table.T[list(classes)].contiguous()
        allowed[:, 0] = False
        return allowed.index_select(1, self.index.flatten()).view(len(classes), *self.index.shape)


def classes_for(rule: HeatmapRule, tagged: Sequence[int], pixels: Pixels | None) -> list[int]:
    """The tagged classes whose heatmaps a rule needs; at full size each one is much to carry along."""
    return list(tagged) if pixels is None or not rule.needs_candidates else pixels.possible(tagged)


def label_map(
    rule: HeatmapRule, classes: Sequence[int], heatmaps: Tensor, pixels: Pixels | None, peaks: Tensor | None = None
) -> SemanticMap:
    """The label map of an image.

    Args:
        rule: to apply.
        classes: (K,) train ids, those of `classes_for`.
        heatmaps: (K, H, W) of these, 0 or larger, or of any sign if the rule is `signed`.
        pixels: None for a rule that needs no candidates.
        peaks: (K,) the maxima of heatmaps that have lost theirs; None for those of `heatmaps`.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.

    Raises:
        ValueError: no pixels where the rule needs candidates.
    """
    if not rule.needs_candidates:
        places = rule.winners(heatmaps, None, None, peaks)
    elif pixels is None:
        raise ValueError(f"{type(rule).__name__} needs candidates and image")
    else:
        places = rule.winners(heatmaps, pixels.allowed(classes), pixels.image, peaks)
    names = np.full(256, IGNORE, np.uint8)
    names[: len(classes)] = classes
    labels: SemanticMap = names[places]
    return labels


@dataclass(frozen=True)
class HeatmapsToLabels:
    """Takes the predicted heatmaps of one image after the other: stitches their crops, applies the rule, writes.

    Attributes:
        write: takes an image id and its (H, W) uint8 label map.
        keep: takes an image id and its heatmaps, before the map is written; None for not keeping them.
        grid: that the tags belong to.
        rule: from heatmaps to a label map.
    """

    write: Callable[[str, SemanticMap], None]
    keep: Callable[[str, CamHeatmaps], None] | None
    grid: CropGrid
    rule: HeatmapRule

    def __call__(self, prediction: Mapping[str, Any]) -> None:
        """Write the label map of an image; for the keys see `weakpan.seeds.source.ClassifierHeatmaps`."""
        image = prediction["image"]
        pixels = Pixels(prediction["set_table"], prediction["set_index"], image)
        pairs, heatmaps = prediction["pairs"], prediction["heatmaps"]
        tagged = sorted(set(pairs[:, 1].tolist()))
        classes, signed = classes_for(self.rule, tagged, pixels), self.rule.signed
        if self.keep is None:
            stack = self._stitch(pairs, heatmaps if signed else F.relu(heatmaps), classes, image)
        else:
            positive_stack = self._stitch(pairs, F.relu(heatmaps), tagged, image)
            signed_stack = self._stitch(pairs, heatmaps, tagged, image)
            crop = self.grid.height, self.grid.width
            self.keep(prediction["image_id"], compact(tagged, positive_stack, signed_stack, crop))
            stack = (signed_stack if signed else positive_stack)[[tagged.index(k) for k in classes]]
        self.write(prediction["image_id"], label_map(self.rule, classes, stack, pixels))

    def _stitch(self, pairs: Tensor, heatmaps: Tensor, classes: Sequence[int], image: Tensor) -> Tensor:
        """(K, H, W), heatmaps of some classes alone."""
        wanted = torch.tensor(classes, dtype=pairs.dtype, device=pairs.device)
        chosen = torch.isin(pairs[:, 1], wanted)
        crops, ids = pairs[chosen].unbind(1)
        size = (image.shape[1], image.shape[2])
        rows = torch.stack([crops, torch.searchsorted(wanted, ids.contiguous())], dim=1)
        return stitch_cams(rows, heatmaps[chosen], self.grid.crops(*size), size, len(classes))


def compact(classes: Sequence[int], positive: Tensor, signed: Tensor, crop: tuple[int, int]) -> CamHeatmaps:
    """Halve and round heatmaps for the disk.

    Args:
        classes: (K,) train ids, ascending.
        positive: (K, H, W) stitched Grad-CAMs with their ReLU.
        signed: (K, H, W) the same without it.
        crop: height and width of a crop of the grid, pixels.
    """
    size = (signed.shape[1], signed.shape[2])
    halves = [F.interpolate(maps[None], half_size(size), mode="area")[0].cpu() for maps in (positive, signed)]
    speaks_for = halves[0]
    speaks_against = (speaks_for - halves[1]).clamp_min(0)
    positive_steps, positive_step = in_steps(speaks_for.numpy())
    negative_steps, negative_step = in_steps(speaks_against.numpy())
    peaks = positive.amax(dim=(1, 2)).cpu().numpy()
    return CamHeatmaps(size, crop, tuple(classes), positive_steps, negative_steps, positive_step, negative_step, peaks)


def label_map_from_kept(
    kept: CamHeatmaps, rule: HeatmapRule, sets: CandidateSets | None, image: RGBImage | None
) -> SemanticMap:
    """The label map of an image from kept heatmaps, on the CPU; the same for any number of threads.

    Args:
        kept: heatmaps.
        rule: to apply.
        sets: candidates of all pixels; None for a rule that does not need them.
        image: (H, W, 3) uint8 RGB; None for a rule that does not look at it.

    Returns:
        (H, W) uint8 train ids, 255 unlabelled.
    """
    colours = np.zeros((1, 1, 3), np.uint8) if image is None else image
    pixels = None
    if sets is not None:
        shown = torch.from_numpy(colours).permute(2, 0, 1)
        pixels = Pixels(torch.from_numpy(sets.table), torch.from_numpy(sets.index), shown)
    # Sums in another order, as other numbers of threads make them, could change a label.
    with one_thread(), torch.inference_mode():
        some = kept.only(classes_for(rule, kept.classes, pixels))
        halves = torch.from_numpy(some.signed() if rule.signed else some.speaks_for())
        stack = halves.new_zeros((0, *kept.size))
        if len(halves) > 0:
            stack = F.interpolate(halves[None], kept.size, mode="bilinear", align_corners=False)[0]
        return label_map(rule, some.classes, stack, pixels, torch.from_numpy(some.peaks))
