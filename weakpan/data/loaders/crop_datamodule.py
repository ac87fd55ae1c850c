"""Crops of the crop grid with their tags, for the crop classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from weakpan.basics.arrays import RGBImage
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.candidates import whole_image_sets
from weakpan.data.image_tree import ImageTree
from weakpan.data.loaders.samplers import EpochSampler
from weakpan.data.loaders.settings import TagCropSettings
from weakpan.data.loaders.transforms import jitter_colour


class CropDataset(Dataset[dict[str, Any]]):
    """All crops of an image at a time, so that a large image is decoded once and not once a crop.

    An item holds `image_id`, `crops` (T, 3, h, w) uint8 RGB and `tags` (T, C) bool. Items are asked for as (epoch,
    index) for training, with random flips and colours, or as an index for prediction, without, and then hold the image
    too, `image` (3, H, W) uint8 RGB, and the candidates of its pixels, `set_index` (H, W) int32 and `set_table` (S, C)
    bool as in `CandidateSets`, unless `with_pixels` is False: tags alone do not need them. Without `ids` they are those
    of the split.
    """

    def __init__(
        self,
        split: ImageTree,
        annotations: WeakAnnotations,
        settings: TagCropSettings,
        seed: int,
        ids: Sequence[str] | None = None,
        with_pixels: bool = True,
    ) -> None:
        self.split, self.annotations, self.settings, self.seed = split, annotations, settings, seed
        self.ids = split.ids if ids is None else tuple(ids)
        self.with_pixels = with_pixels

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ids)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, Any]:
        """Crops and tags of one image."""
        rng = None if isinstance(item, int) else np.random.default_rng((self.seed, *item))
        index = item if isinstance(item, int) else item[1]
        image_id = self.ids[index]
        annotation = self.annotations.images[image_id]
        image = self.split.image(image_id)
        crops = [
            self._show(image[crop.slices], rng)
            for crop in self.annotations.grid.crops(annotation.height, annotation.width)
        ]
        shown = {
            "image_id": image_id,
            "crops": torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2),
            "tags": torch.from_numpy(annotation.tag_matrix(self.annotations.catalog.num_classes)),
        }
        if rng is not None or not self.with_pixels:
            return shown
        sets = whole_image_sets(annotation, self.annotations.grid, self.annotations.catalog)
        return {
            **shown,
            "image": torch.from_numpy(image).permute(2, 0, 1),
            "set_index": torch.from_numpy(sets.index),
            "set_table": torch.from_numpy(sets.table),
        }

    def _show(self, crop: RGBImage, rng: np.random.Generator | None) -> RGBImage:
        grid, settings = self.annotations.grid, self.settings
        size = (settings.width or grid.width, settings.height or grid.height)
        if crop.shape[:2] != size[::-1]:
            crop = cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        if rng is not None:
            if settings.flip and rng.random() < 0.5:
                crop = crop[:, ::-1]
            crop = jitter_colour(rng, crop, settings.colour_jitter)
        return np.ascontiguousarray(crop)


def collate_crops(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Crops of several images in one batch; their number and the sizes of the images may differ."""
    of_images = {key: [item[key] for item in items] for key in ("image", "set_index", "set_table") if key in items[0]}
    return {
        **of_images,
        "image_id": [item["image_id"] for item in items],
        "crops": torch.cat([item["crops"] for item in items]),
        "tags": torch.cat([item["tags"] for item in items]),
    }


class CropDataModule(pl.LightningDataModule):
    """Loaders for training the classifier and for predicting heatmaps (one image a batch)."""

    def __init__(
        self,
        split: ImageTree,
        annotations: WeakAnnotations,
        settings: TagCropSettings,
        workers: int,
        seed: int,
        ids: Sequence[str] | None = None,
        with_pixels: bool = True,
    ) -> None:
        super().__init__()
        self.dataset = CropDataset(split, annotations, settings, seed, ids, with_pixels)
        self.workers, self.seed = workers, seed

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Shuffled crops with augmentation."""
        assert self.trainer is not None
        return DataLoader(
            dataset=self.dataset,
            batch_size=self.dataset.settings.images_per_batch,
            sampler=EpochSampler(len(self.dataset), self.seed, self.trainer.global_rank, self.trainer.world_size),
            num_workers=self.workers,
            collate_fn=collate_crops,
            persistent_workers=self.workers > 0,
        )

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every image once over all ranks."""
        assert self.trainer is not None
        return DataLoader(
            dataset=self.dataset,
            batch_size=1,
            sampler=range(self.trainer.global_rank, len(self.dataset), self.trainer.world_size),
            num_workers=self.workers,
            collate_fn=collate_crops,
        )
