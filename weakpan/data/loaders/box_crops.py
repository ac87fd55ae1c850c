"""Windows around boxes, for training a mask network from boxes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from weakpan.basics.arrays import IGNORE, RGBImage
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.loaders.box_window import Window, WindowSettings
from weakpan.data.loaders.samplers import EpochSampler
from weakpan.data.loaders.transforms import jitter_colour


def sure_things(shape: tuple[int, int], boxes: Sequence[Box], radius: float) -> npt.NDArray[np.uint8]:
    """What boxes in an image of a shape (H, W) say for certain, or nearly so, about where things are.

    Returns:
        (H, W) uint8: 0 outside all boxes of things, 1 within an elliptic radius of the middle of an instance box, 255
        in the rest of boxes.
    """
    things = np.zeros(shape, np.uint8)
    for box in sorted(boxes, key=lambda box: -box.area):
        if box.kind is BoxKind.INSTANCE:
            part = things[box.slices]
            y, x = (np.linspace(-1 + 1 / n, 1 - 1 / n, n, dtype=np.float32) for n in part.shape)
            part[...] = np.where(np.hypot(y[:, None], x[None]) <= radius, 1, IGNORE)
    for box in boxes:
        if box.kind is BoxKind.GROUP:
            part = things[box.slices]
            part[part == 0] = IGNORE
    return things


@dataclass(frozen=True)
class BoxedImage:
    """An image, (H, W, 3) RGB, that a picklable function loads, and its boxes, of any kind."""

    load: Callable[[], RGBImage]
    boxes: tuple[Box, ...]


class BoxWindows(Dataset[dict[str, Tensor]]):
    """Some windows of an image at a time, asked for as (epoch, index); seed, epoch and index alone decide them.

    An item holds, for each of N windows, `windows` (N, 3, S, S) uint8 RGB, `coordinates` (N, 5, S, S) of its box,
    `things` (N, S, S) as `sure_things` says, 255 beyond the image; `front` (N, S, S), 1 where a smaller box lies; `lab`
    (N, 3, S, S) the colours in Lab of 8 bits, before they are jittered. Images without an instance box that is large
    enough are left out.
    """

    def __init__(self, images: Sequence[BoxedImage], settings: WindowSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.images = [image for image in images if self._usable(image)]

    def _usable(self, image: BoxedImage) -> list[Box]:
        least = self.settings.min_box
        return [box for box in image.boxes if box.kind is BoxKind.INSTANCE and min(box.shape) >= least]

    @property
    def boxes(self) -> int:
        """Number of boxes that are learned from."""
        return sum(len(self._usable(image)) for image in self.images)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor]:
        """Random windows around boxes of one image."""
        rng = np.random.default_rng((self.seed, *item))
        entry = self.images[item[1]]
        image = entry.load()
        things = sure_things((image.shape[0], image.shape[1]), entry.boxes, self.settings.sure_radius)
        usable = self._usable(entry)
        views = [
            self._view(rng, image, things, usable[int(rng.integers(len(usable)))], entry.boxes)
            for _ in range(self.settings.a_image)
        ]
        return {name: torch.from_numpy(np.stack([view[name] for view in views])) for name in views[0]}

    def _view(
        self, rng: np.random.Generator, image: RGBImage, things: npt.NDArray[np.uint8], box: Box, boxes: Sequence[Box]
    ) -> Mapping[str, npt.NDArray[Any]]:
        settings = self.settings
        window = Window.random(rng, box, settings.side, (settings.least_share, settings.most_share))
        pixels = window.image(image)
        if rng.random() < settings.blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 1.6)).astype(np.uint8, copy=False)
        front = np.zeros((settings.side, settings.side), np.float32)
        for other in boxes:
            if other.kind is BoxKind.INSTANCE and other.area < box.area:
                front[window.inside(other)] = 1
        view: dict[str, npt.NDArray[Any]] = {
            "windows": jitter_colour(rng, pixels, settings.colour_jitter).transpose(2, 0, 1),
            "coordinates": window.coordinates(box),
            "things": window.label(things, IGNORE),
            "front": front,
            "lab": cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).transpose(2, 0, 1).astype(np.float32),
        }
        if rng.random() < 0.5:
            view = {name: values[..., ::-1] for name, values in view.items()}
            view["coordinates"] = view["coordinates"] * np.array([-1, 1, 1, 1, 1], np.float32)[:, None, None]
        return {name: np.ascontiguousarray(values) for name, values in view.items()}


def collate_windows(items: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The windows of several images in one batch."""
    return {name: torch.cat([item[name] for item in items]) for name in items[0]}


class BoxDataModule(pl.LightningDataModule):
    """Loader for training the mask network."""

    def __init__(self, dataset: BoxWindows, workers: int) -> None:
        super().__init__()
        self.dataset, self.workers = dataset, workers

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Shuffled images, some windows of each."""
        assert self.trainer is not None
        settings, seed = self.dataset.settings, self.dataset.seed
        sampler = EpochSampler(len(self.dataset), seed, self.trainer.global_rank, self.trainer.world_size)
        return DataLoader(
            dataset=self.dataset,
            batch_size=settings.images,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=collate_windows,
            persistent_workers=self.workers > 0,
            # A last batch of one window would give BatchNorm nothing to normalise over.
            drop_last=settings.a_image == 1 and len(sampler) > settings.images and len(sampler) % settings.images == 1,
            # Items are seeded by themselves; the loader's own draw, which seeds its processes, takes none of torch's.
            generator=torch.Generator().manual_seed(seed),
        )
