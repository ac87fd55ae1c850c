"""Small pictures with one object each, and the truth about it."""

import cv2
import numpy as np

from weakpan.data.annotations import Box


def disc_in_grass(shape=(90, 120), centre=(60, 44), axes=(26, 18), seed=0):
    """A noisy red ellipse on noisy green: (image RGB, true mask (H, W), its tight box of class 3)."""
    noise = np.random.default_rng(seed).integers(-25, 26, (*shape, 3))
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    truth = mask.astype(bool)
    image = np.clip(np.where(truth[..., None], (180, 50, 50), (60, 140, 60)) + noise, 0, 255).astype(np.uint8)
    return image, truth, tight_box(truth, class_id=3)


def tight_box(mask, class_id):
    rows, cols = np.nonzero(mask)
    return Box(class_id, int(cols.min()), int(rows.min()), int(cols.max()), int(rows.max()))
