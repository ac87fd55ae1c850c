"""A prediction of the segmenter: maps on their device, from which label maps are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import FloatMap, SemanticMap
from weakpan.basics.panoptic import PanopticMap
from weakpan.refinement.bands import row_bands


@dataclass(frozen=True)
class Prediction:
    """The maps of a network for one image. Any thread may ask for what is made of them.

    Attributes:
        image_id: of the image.
        size: (height, width) of the image.
        image: (3, h, w) uint8 RGB, as the network has seen it.
        logits: (1, C, h', w') of the classes.
        decode: from (C, H, W) probabilities to a panoptic map without overlaps; None where nobody needs one.
        candidates: (S, C) bool table and (H, W) int64 rows of it, as in `CandidateSets`; None where nobody needs them.
    """

    image_id: str
    size: tuple[int, int]
    image: Tensor
    logits: Tensor
    decode: Callable[[Tensor], PanopticMap] | None = None
    candidates: tuple[Tensor, Tensor] | None = None

    # Whether gradients are kept is a matter of the thread.
    @torch.inference_mode()
    def probabilities(self) -> Tensor:
        """(C, H, W) float32, 0..1, at the size of the image, on the device of the network; a new tensor each time."""
        enlarged = F.interpolate(self.logits, self.size, mode="bilinear", align_corners=False)[0]
        for rows in row_bands(enlarged):
            enlarged[:, rows] = enlarged[:, rows].softmax(dim=0)
        return enlarged

    @torch.inference_mode()
    def allowed(self) -> Tensor | None:
        """(C, H, W) bool, the candidate classes of each pixel; None where they were not asked for."""
        if self.candidates is None:
            return None
        table, rows = self.candidates
        # A row of the table for each pixel, then turned: a lookup a class takes three times as long, and plain indexing
        # twice as long.
        return F.embedding(rows, table).permute(2, 0, 1).contiguous()

    @cached_property
    def _made(self) -> tuple[SemanticMap, FloatMap, PanopticMap | None]:
        with torch.inference_mode():
            probabilities = self.probabilities()
            panoptic = None if self.decode is None else self.decode(probabilities)
            return *most_likely(probabilities), panoptic

    @property
    def semantic(self) -> SemanticMap:
        """(H, W) uint8 train ids: the most likely class of each pixel."""
        return self._made[0]

    @property
    def score(self) -> FloatMap:
        """(H, W) float32, probability of that class, 0..1."""
        return self._made[1]

    @property
    def panoptic(self) -> PanopticMap | None:
        """Panoptic map without overlaps; None where nobody needs one."""
        return self._made[2]


@torch.inference_mode()
def most_likely(probabilities: Tensor) -> tuple[SemanticMap, FloatMap]:
    """The most likely class of each pixel and its probability.

    Args:
        probabilities: (C, H, W), 0..1.

    Returns:
        (H, W) uint8 train ids and (H, W) float32.
    """
    score, semantic = probabilities.max(dim=0)
    return (
        semantic.to(torch.uint8).cpu().numpy().astype(np.uint8, copy=False),
        score.float().cpu().numpy().astype(np.float32, copy=False),
    )
