"""The mask network learns masks of drawn objects from their boxes."""

from functools import partial

import cv2
import numpy as np
import pytorch_lightning as pl
import torch

from tests.unit.masks.drawn_objects import tight_box
from weakpan.data.loaders.box_crops import BoxDataModule, BoxedImage, BoxWindows
from weakpan.data.loaders.box_window import WindowSettings
from weakpan.masks.mask_net_settings import MaskLossWeights
from weakpan.masks.network_predictor import NetworkPredictor
from weakpan.masks.painting import mask_iou
from weakpan.masks.region import elliptic_radius
from weakpan.models.mask_net import MaskNet
from weakpan.training.mask_module import MaskModule
from weakpan.training.schedules import Poly

WINDOWS = WindowSettings(side=48, a_image=4, images=4)


def triangle(seed):
    """A reddish triangle, any way round, on greenish noise: (image, truth)."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.uint8)
    while mask.sum() < 300:
        mask[:] = 0
        cv2.fillPoly(mask, [rng.integers(8, 56, (3, 2)).astype(np.int32)], 1)
    truth = mask.astype(bool)
    colour = np.where(truth[..., None], (170, 60, 60), (70, 130, 70))
    return np.clip(colour + rng.integers(-40, 41, (64, 64, 3)), 0, 255).astype(np.uint8), truth


def draw(seed):
    return triangle(seed)[0]


def train(steps, seed=0):
    images = [BoxedImage(partial(draw, k), (tight_box(triangle(k)[1], 3),)) for k in range(24)]
    torch.manual_seed(seed)
    module = MaskModule(
        MaskNet("test_resnet", channels=16),
        MaskLossWeights(),
        partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.01),
        Poly,
    )
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=steps, max_epochs=-1, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=BoxDataModule(BoxWindows(images, WINDOWS, seed), workers=0))
    return module.network.eval()


def test_unseen_objects_are_found_better_than_by_any_ellipse():
    predictor = NetworkPredictor(train(steps=100), WINDOWS.side, tuple(WINDOWS.shares))
    radii = np.arange(0.6, 1.45, 0.1)
    found, ellipses = [], []
    for seed in range(100, 112):
        image, truth = triangle(seed)
        box = tight_box(truth, 3)
        inside = truth[box.slices]
        found.append(mask_iou(predictor.probabilities(image, [box])[0] >= 0.5, inside))
        ellipses.append([mask_iou(elliptic_radius(*inside.shape) <= radius, inside) for radius in radii])
    assert np.mean(found) > np.mean(ellipses, axis=0).max() + 0.05


def test_equal_seeds_give_equal_networks():
    first, second, other = (train(steps=2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())
