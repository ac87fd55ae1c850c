"""Captions, panels of pictures side by side, and the legend of the classes, as RGB arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weakpan.basics.arrays import RGBImage
from weakpan.basics.catalog import Catalog
from weakpan.report.pictures import hatch

_WIDEST = 4.0
"""A picture in a panel is at most this many times as wide as the panel is high; a longer one is made less high."""

PAPER = 255
"""Brightness of what is around pictures."""

_INK = (30, 30, 30)
_GAP = 6


def panel(columns: Sequence[tuple[str, RGBImage]], height: int) -> RGBImage:
    """Set pictures side by side, each under its caption.

    Args:
        columns: caption and (h, w, 3) uint8 RGB picture, from left to right; sizes and proportions may differ.
        height: of the pictures in the panel, pixels; the captions come on top of that.

    Returns:
        (H, W, 3) uint8 RGB on white, H a little more than `height`.

    Raises:
        ValueError: no column, a height below 1 or a picture without pixels.
    """
    if not columns or height < 1:
        raise ValueError(f"a panel needs a column and a height of at least 1, found {len(columns)} and {height}")
    size = min(20, max(12, height // 14))
    captions = [text_picture(caption, size) for caption, _ in columns]
    fitted = [fit(picture, height, round(_WIDEST * height)) for _, picture in columns]
    strip = max(c.shape[0] for c in captions)
    blocks = []
    for caption, picture in zip(captions, fitted, strict=True):
        width = max(caption.shape[1], picture.shape[1])
        block = np.concatenate([padded(caption, strip, width), padded(picture, height, width)])
        blocks.append(padded(block, strip + height, width + _GAP))
    return np.concatenate(blocks, axis=1)[:, :-_GAP]


def fit(picture: RGBImage, height: int, width: int) -> RGBImage:
    """Scale an (h, w, 3) uint8 RGB picture to the largest size within height x width that keeps its proportions.

    Enlarging repeats pixels, so that the pixels of a tiny map stay sharp; reducing averages them. Each side of the
    result has a pixel at least.

    Raises:
        ValueError: a picture without pixels.
    """
    rows, columns = picture.shape[:2]
    if rows == 0 or columns == 0:
        raise ValueError(f"a picture of shape {picture.shape} has no pixels")
    scale = min(height / rows, width / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    if size == (columns, rows):
        return picture
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def padded(picture: RGBImage, height: int, width: int) -> RGBImage:
    """A (h, w, 3) uint8 picture in the upper left of a white one of `height` x `width` pixels."""
    rows, columns = picture.shape[:2]
    return np.pad(picture, ((0, height - rows), (0, width - columns), (0, 0)), constant_values=PAPER)


def legend(catalog: Catalog, columns: int = 1, size: int = 14) -> RGBImage:
    """Draw the class table: a field of colour and a name a class, things marked, and the pattern for "no label".

    Entries fill one or more columns from top to bottom; letters are of `size` pixels.

    Returns:
        (H, W, 3) uint8 RGB on white.
    """
    names = [f"{c.name} (thing)" if c.is_thing else c.name for c in catalog.classes] + ["no label"]
    field = (size, 2 * size)
    fields = [np.broadcast_to(np.array(c.color, np.uint8), (*field, 3)) for c in catalog.classes]
    fields.append(fit(hatch(size // 2, size), *field))
    texts = [text_picture(name, size) for name in names]
    entry_height, entry_width = max(t.shape[0] for t in texts), field[1] + 4 + max(t.shape[1] for t in texts)
    rows = -(-len(names) // columns)
    picture = np.full((rows * entry_height, columns * entry_width, 3), PAPER, np.uint8)
    for position, (color, text) in enumerate(zip(fields, texts, strict=True)):
        column, row = divmod(position, rows)
        top, left = row * entry_height, column * entry_width
        middle = top + (entry_height - color.shape[0]) // 2
        picture[middle : middle + color.shape[0], left : left + color.shape[1]] = color
        begin = left + field[1] + 4
        picture[top : top + text.shape[0], begin : begin + text.shape[1]] = text
    return picture


def text_picture(text: str, size: int) -> RGBImage:
    """One line of text, dark on white, as (h, w, 3) uint8 RGB; `size` is the height of the letters in pixels."""
    font = _font(size)
    ascent, descent = font.getmetrics()
    width = max(1, round(font.getlength(text)) + size // 2)
    image = Image.new("RGB", (width, ascent + descent + 4), (PAPER,) * 3)
    ImageDraw.Draw(image).text((size // 4, 2), text, fill=_INK, font=font)
    return np.array(image)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # The font that matplotlib brings along knows more than Latin letters and is the same on every machine.
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)
