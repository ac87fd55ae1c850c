"""Class probabilities that satisfy the tags: the nearest ones in which every tag has its share of its crop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from weakpan.refinement.bands import row_bands, share_among

IMPOSSIBLE = -1e4
"""Logarithm of a probability that is as good as 0 in any sum; not infinite, so that no gradient is."""

_STEP = 0.7
"""Share of what a tag lacks that an update adds; overlapping crops help each other, so that all of it is too much."""

_MOST_LACKING = 3.0
"""Largest update of a tag, in logarithms: one whose class is nowhere likely would win everything at once."""


def cells_inside(
    areas: Iterable[tuple[slice, slice]], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> Tensor:
    """Which cells of a grid lie in which rectangle.

    Args:
        areas: T rectangles of an image, row and column slices.
        rows: (h,) row of the image under the middle of each row of cells.
        columns: (w,) the same of columns.

    Returns:
        (T, h * w) float32, 1 inside and 0 outside.
    """
    inside = [
        np.logical_and.outer((rows >= y.start) & (rows < y.stop), (columns >= x.start) & (columns < x.stop)).ravel()
        for y, x in areas
    ]
    return torch.from_numpy(np.stack(inside)).float()


def tag_multipliers(
    logits: Tensor, allowed: Tensor, inside: Tensor, required: Tensor, share: float, steps: int = 8
) -> Tensor:
    """Multipliers of the tags, with which probabilities satisfy every tag and stay as near as they can.

    Posterior regularisation (Ganchev et al., JMLR 2010) with the constraints of CCNN (Pathak et al., ICCV 2015): among
    all distributions over the candidates of the cells in which each tag has, in expectation, at least a share of the
    part of its crop that it may have, the one of least KL divergence from the network's. It has the form
    `q ~ p exp(sum of the multipliers of the crops that hold the cell)`, and multiplicative updates find them.

    Args:
        logits: (n, C) float32 of n cells.
        allowed: (n, C) bool, candidates; a cell without any counts nowhere.
        inside: (T, n) float32 as of `cells_inside`.
        required: (T, C) bool, tags that must be satisfied.
        share: of the allowed part of the crop that a tag needs, 0..1.
        steps: updates.

    Returns:
        (T, C) float32, 0 or larger.
    """
    open_to = allowed.float()
    need = share * (inside @ open_to)
    base = logits.masked_fill(~allowed, IMPOSSIBLE)
    some = allowed.any(dim=1, keepdim=True)
    pull = torch.zeros_like(need)
    required = required & (need > 0)
    for _ in range(steps):
        have = inside @ ((base + inside.T @ pull).softmax(dim=1) * some)
        lack = (need / have.clamp_min(1e-4)).clamp_min(1e-4).log().clamp(max=_MOST_LACKING)
        pull = pull + torch.where(required & (have < need), _STEP * lack, 0.0)
    return pull


def tilted(logits: Tensor, allowed: Tensor, inside: Tensor, pull: Tensor) -> Tensor:
    """Probabilities with the multipliers of `tag_multipliers`: (n, C), 0 where a class is not allowed."""
    return (logits.masked_fill(~allowed, IMPOSSIBLE) + inside.T @ pull).softmax(dim=1) * allowed


def satisfy_tags(
    probabilities: Tensor,
    allowed: Tensor,
    areas: Sequence[tuple[slice, slice]],
    required: npt.NDArray[np.bool_],
    share: float,
    side: int,
) -> Tensor:
    """Change probabilities as little as it takes to give every tag its share of its crop.

    Args:
        probabilities: (C, H, W) float32, 0..1; changed in place.
        allowed: (C, H, W) bool, candidates.
        areas: T rectangles, row and column slices.
        required: (T, C), classes that need their share of a rectangle.
        share: of the allowed part of the rectangle, 0..1.
        side: the multipliers are found on every k-th pixel, so that the shorter side has about so many at most.

    Returns:
        The same tensor; over the classes of a pixel it sums to 1, or to 0 where no class is allowed.
    """
    size = probabilities.shape[1:]
    stride = max(1, round(min(size) / side))
    some = (slice(None), slice(stride // 2, None, stride), slice(stride // 2, None, stride))
    rows, columns = (np.arange(stride // 2, length, stride) for length in size)
    inside = cells_inside(areas, rows, columns).to(probabilities.device)
    logits = probabilities[some].flatten(1).T.clamp_min(1e-8).log()
    needed = torch.from_numpy(required).to(probabilities.device)
    pull = tag_multipliers(logits, allowed[some].flatten(1).T, inside, needed, share)
    for area, factors in zip(areas, pull.exp(), strict=True):
        probabilities[(slice(None), *area)] *= factors[:, None, None]
    for band in row_bands(probabilities):
        share_among(allowed[:, band], probabilities[:, band])
    return probabilities
