"""Pictures as data URIs, small enough to travel in one page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from weakpan.basics.arrays import RGBImage
from weakpan.report.panels import fit

_SIZES = ((960, 88), (800, 85), (640, 82), (480, 78), (320, 72), (200, 65))
"""Longer side in pixels and JPEG quality, from the best to the smallest that is still worth looking at."""


@dataclass(frozen=True)
class Embedded:
    """A picture in a page, `data:image/...;base64,...`; sizes in pixels."""

    uri: str
    height: int
    width: int


def embed_all(rows: Sequence[Sequence[RGBImage]], budget: int) -> list[list[Embedded]]:
    """Embed rows of (H, W, 3) uint8 RGB pictures at the largest size at which all of them fit; none is enlarged.

    Returns:
        The rows in their order, of URIs of no more than `budget` characters together. If they do not fit even at the
        smallest size, the first of them that do.
    """
    embedded: list[list[Embedded]] = []
    for longest, quality in _SIZES:
        embedded, used = [], 0
        for row in rows:
            pictures = [embed(picture, longest, quality) for picture in row]
            used += sum(len(p.uri) for p in pictures)
            if used > budget:
                break
            embedded.append(pictures)
        if len(embedded) == len(rows):
            break
    return embedded


def embed(picture: RGBImage, longest: int, quality: int) -> Embedded:
    """Encode an (H, W, 3) uint8 RGB picture, reduced so that its longer side is at most `longest` pixels.

    A map of few colours becomes PNG, which keeps its edges clean; a photograph becomes JPEG, which is smaller, of a
    quality from 1 to 100.
    """
    small = fit(picture, longest, longest) if max(picture.shape[:2]) > longest else picture
    bgr = np.ascontiguousarray(small[..., ::-1])
    kind, content = "jpeg", cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    if not _has_many_colors(small):
        png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()
        if len(png) <= 1.2 * len(content):
            kind, content = "png", png
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Embedded(uri, small.shape[0], small.shape[1])


def _has_many_colors(picture: RGBImage) -> bool:
    """Whether most of a sample of pixels differ in colour, as in a photograph, so that PNG is slow and does not pay."""
    pixels = picture.reshape(-1, 3)
    sample = pixels[:: max(1, len(pixels) // 4096)].astype(np.uint32)
    packed = sample[:, 0] << 16 | sample[:, 1] << 8 | sample[:, 2]
    return len(np.unique(packed)) > len(sample) // 2
