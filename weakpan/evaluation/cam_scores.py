"""How good label maps from CAMs are: what each class's labels are worth, over all pixels and image by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.evaluation.mean_iou import count_pixels
from weakpan.evaluation.overlaps import Ints, distinct_pixels
from weakpan.evaluation.statistics import mean_of

FIGURES = ("labelled", "precision", "recall")
"""What is said of every class; see `summarise_cams`."""


def count_cam(cam: SemanticMap, real: SemanticMap, catalog: Catalog) -> Ints:
    """Count the pixels of one map by class.

    Args:
        cam: (H, W) train ids, 255 undecided.
        real: (H, W) real train ids, 255 ignored; these pixels count nowhere.
        catalog: class table of both, of C classes.

    Returns:
        (C, 3) int64: real pixels of the class, pixels labelled with the class, pixels of both. The first column adds up
        to all pixels with a real label.

    Raises:
        ValueError: maps of different sizes.
    """
    if cam.shape != real.shape:
        raise ValueError(f"a map of {cam.shape} and ground truth of {real.shape} do not match")
    (truth, labels), pixels = distinct_pixels(real, cam)
    return count_pixels(truth, labels, pixels, catalog.num_classes)[:, [0, 2, 3]]


def summarise_cams(counts: Mapping[str, Ints], catalog: Catalog) -> dict[str, Any]:
    """Figures of the maps of many images, as JSON can hold them: shares 0..1, None where nothing can be said.

    Args:
        counts: (C, 3) of `count_cam`, by image id.
        catalog: names the classes.

    Returns:
        `images`; `all` and `per_class`, by name, each with figures over the pixels of all images: `labelled`, the share
        of all pixels with a real label that carries a label (this class's), `precision`, the share of these labels that
        is right, and `recall`, the share of the real pixels (of the class) that is labelled rightly; and under
        `mean_over_images` the mean of the same figures over the images, each as heavy as the others. `labelled` is a
        mean over all images, `precision` over those with a label (of the class) and `recall` over those where the
        class is.
    """
    stacked = np.array([counts[i] for i in sorted(counts)], np.int64).reshape(-1, catalog.num_classes, 3)
    pixels = stacked[..., 0].sum(axis=1)
    return {
        "images": len(stacked),
        "all": _figures(stacked.sum(axis=1), pixels),
        "per_class": {name: _figures(stacked[:, k], pixels) for k, name in enumerate(catalog.names)},
    }


def image_figures(counts: Ints) -> dict[str, float | None]:
    """`labelled`, `precision` and `recall` of one image over all classes, from its (C, 3) counts of `count_cam`."""
    return _shares(counts.sum(axis=0), int(counts[:, 0].sum()))


def worst_maps(counts: Mapping[str, Ints], count: int) -> list[tuple[str, float | None]]:
    """Ids of the images whose labels are least often right and that precision; images without a label come first.

    Images without a real label have no place in it; equal ones are ordered by id.
    """
    found = {i: image_figures(c)["precision"] for i, c in counts.items() if c[:, 0].any()}
    return sorted(found.items(), key=lambda item: (-1.0 if item[1] is None else item[1], item[0]))[:count]


def _figures(counts: Ints, pixels: Ints) -> dict[str, Any]:
    """Of (N, 3) counts of N images with so many pixels, (N,)."""
    each = [_shares(row, int(total)) for row, total in zip(counts, pixels, strict=True)]
    return {
        **_shares(counts.sum(axis=0), int(pixels.sum())),
        "mean_over_images": {key: mean_of(row[key] for row in each) for key in FIGURES},
    }


def _shares(counts: Ints, pixels: int) -> dict[str, float | None]:
    """Of (3,) counts out of so many pixels."""
    real, labelled, right = counts.tolist()
    parts = zip(FIGURES, ((labelled, pixels), (right, labelled), (right, real)), strict=True)
    return {key: part / whole if whole else None for key, (part, whole) in parts}
