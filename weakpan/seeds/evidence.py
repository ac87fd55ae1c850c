"""From what speaks for and against each class at a pixel to a probability among the classes that it can have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from weakpan.refinement.bands import row_bands

_IMPOSSIBLE = -1e4


def class_probabilities(cams: Tensor, allowed: Tensor, temperature: float, least_spread: float) -> Tensor:
    """Let the classes of an image compete for its pixels.

    Heatmaps of different classes are not on one scale: a classifier answers loudly for a class that fills its crops and
    hardly at all for a rare one. Each class is therefore standardised over the pixels that tags and boxes leave to it,
    which asks where in its crops it is likelier than elsewhere, and a softmax runs over the candidates of each pixel.
    Other than a share of a class's maximum, this lets one class's evidence against a pixel count for its rivals.

    Args:
        cams: (C, H, W) Grad-CAMs without ReLU, any sign and scale.
        allowed: (C, H, W) bool, the candidates of every pixel.
        temperature: of the softmax, in standard deviations, above 0.
        least_spread: standard deviations are taken to be at least this share of the largest one of the image, so that
            a class that is the same everywhere does not have its noise blown up, 0..1.

    Returns:
        (C, H, W) float32, 0..1; over the classes of a pixel it sums to 1, or to 0 where no class is allowed.
    """
    bands, dtype = row_bands(cams), cams.dtype

    def total(values: Callable[[slice], Tensor]) -> Tensor:
        """(C, 1, 1), sums in double precision, so that they do not depend on how the image is divided."""
        sums = sum((values(rows).sum(dim=(1, 2)).cpu().double() for rows in bands), torch.zeros(len(cams)).double())
        return sums[:, None, None]

    def centred(rows: slice) -> Tensor:
        return cams[:, rows] - mean

    count = total(lambda rows: allowed[:, rows].to(dtype)).clamp_min(1)
    mean = (total(lambda rows: cams[:, rows] * allowed[:, rows].to(dtype)) / count).to(cams)
    squares = total(lambda rows: centred(rows).mul_(allowed[:, rows].to(dtype)).square_())
    spread = (squares / count).sqrt()
    unit = (temperature * spread.clamp_min(max(1e-12, least_spread * float(spread.max())))).to(cams)
    probabilities = torch.empty_like(cams)
    for rows in bands:
        logits = centred(rows).div_(unit).masked_fill_(~allowed[:, rows], _IMPOSSIBLE)
        probabilities[:, rows] = torch.softmax(logits, dim=0).mul_(allowed[:, rows].to(dtype))
    return probabilities
