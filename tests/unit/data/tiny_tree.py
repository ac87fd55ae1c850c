"""A Cityscapes tree of a few hand-made frames, written with plain tools."""

from pathlib import Path

import cv2
import numpy as np

from weakpan.data.annotation_file import image_entry, write_annotation_entries

ROAD, SKY, PERSON, CAR = 7, 23, 24, 26
"""Label ids of Cityscapes."""


def write_frame(root: Path, image_id: str, raw, split="train", city="town", image=None, suffix=".png"):
    """One image and its label maps from an (H, W) map of label ids and `id * 1000 + n`."""
    raw = np.asarray(raw, np.uint16)
    if image is None:
        image = np.random.default_rng(len(image_id)).integers(0, 256, (*raw.shape, 3), dtype=np.uint8)
    for folder in ("leftImg8bit", "gtFine"):
        (root / folder / split / city).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "leftImg8bit" / split / city / f"{image_id}_leftImg8bit{suffix}"), image[..., ::-1])
    labels = root / "gtFine" / split / city / f"{image_id}_gtFine"
    cv2.imwrite(f"{labels}_instanceIds.png", raw)
    cv2.imwrite(f"{labels}_labelIds.png", np.where(raw >= 1000, raw // 1000, raw).astype(np.uint8))
    return image


def street(height=20, width=30):
    """Sky over road; two cars that touch, one person, a group of persons, a strip of ego vehicle."""
    raw = np.full((height, width), SKY, np.uint16)
    raw[height // 2 :] = ROAD
    raw[8:14, 3:9] = CAR * 1000
    raw[8:14, 9:15] = CAR * 1000 + 1
    raw[5:14, 20:23] = PERSON * 1000
    raw[9:13, 25:29] = PERSON
    raw[-2:] = 1
    return raw


def write_weak(path, annotations):
    """A weak-annotation file."""
    entries = [image_entry(image, annotations.catalog) for image in annotations.images.values()]
    write_annotation_entries(path, annotations.catalog, annotations.grid, entries)
