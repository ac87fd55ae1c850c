"""Images with labels for training the segmenter, and whole images for prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from weakpan.basics.arrays import IGNORE
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.candidates import CandidateSets, candidate_sets, whole_image_sets
from weakpan.data.folder import ImageFolder
from weakpan.data.image_tree import ImageTree
from weakpan.data.loaders.samplers import EpochSampler
from weakpan.data.loaders.settings import RandomCropSettings
from weakpan.data.loaders.targets import LabelledImage, instance_targets
from weakpan.data.loaders.transforms import View, jitter_colour, random_view, whole_view
from weakpan.data.tag_presence import Presence, nowhere, presence

LabelSource = Callable[[str], LabelledImage]
"""Labels of an image by its id; must be picklable for worker processes that are started afresh."""


class TrainingViews(Dataset[dict[str, torch.Tensor]]):
    """Random views with targets.

    An item holds, for a view of h x w: `image` (3, h, w) uint8 RGB; `semantic` (h, w) int64 with 255 ignored; `centre`,
    `centre_known`, `offset`, `offset_known` as in `InstanceTargets`; `set_index` (h, w) int64 and `set_table` (S, C)
    bool as in `CandidateSets`; `present_areas`, `present_classes` and `present_is_box` as in `Presence`. Items are
    asked for as (epoch, index).

    Annotations give the candidate sets; void pixels of images that are `unconstrained`, because their ground truth is
    used, have none, and no image has where there are no annotations.
    """

    def __init__(
        self,
        split: ImageTree,
        labels: LabelSource,
        annotations: WeakAnnotations | None,
        unconstrained: frozenset[str],
        settings: RandomCropSettings,
        seed: int,
    ) -> None:
        self.split, self.labels, self.annotations = split, labels, annotations
        self.unconstrained, self.settings, self.seed = unconstrained, settings, seed

    def __len__(self) -> int:
        """Number of images."""
        return len(self.split.ids)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, torch.Tensor]:
        """One random view of one image."""
        rng = np.random.default_rng((self.seed, *item))
        image_id, settings = self.split.ids[item[1]], self.settings
        image, label = self.split.image(image_id), self.labels(image_id)
        scales = (settings.scale * settings.min_scale, settings.scale * settings.max_scale)
        crop = (settings.height, settings.width)
        view = random_view(rng, image.shape[0], image.shape[1], crop, scales, settings.flip)
        targets = instance_targets(label, view, settings.centre_sigma)
        sets, known = self._known(image_id, view)
        shown = jitter_colour(rng, view.image(image), settings.colour_jitter)
        return {
            "image": torch.from_numpy(shown).permute(2, 0, 1),
            "semantic": torch.from_numpy(view.label(label.semantic, IGNORE)).long(),
            **{name: torch.from_numpy(values) for name, values in vars(targets).items()},
            "set_index": torch.from_numpy(sets.index).long(),
            "set_table": torch.from_numpy(sets.table),
            **{f"present_{name}": torch.from_numpy(values) for name, values in vars(known).items()},
        }

    def _known(self, image_id: str, view: View) -> tuple[CandidateSets, Presence]:
        """What boxes and tags say of the pixels of a view."""
        if self.annotations is None or image_id in self.unconstrained:
            count = self.split.catalog.num_classes
            anything = CandidateSets(
                np.zeros((view.canvas_height, view.canvas_width), np.int32), np.ones((1, count), bool)
            )
            return anything, nowhere(count)
        weak, entry = self.annotations, self.annotations.images[image_id]
        sets = candidate_sets(entry, weak.grid, weak.catalog, view.rows, view.columns)
        return sets, presence(entry, weak.grid, weak.catalog, view)


def collate_views(items: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Stack views; candidate tables and known presence are put one below the other.

    The indices of the sets are moved along, and `present_view` (R,) int64 tells which view a rectangle belongs to.
    """
    joined = [key for key in items[0] if key.startswith("present_")]
    batch = {
        key: torch.stack([item[key] for item in items]) for key in items[0] if not key.startswith(("set_", "present_"))
    }
    batch.update({key: torch.cat([item[key] for item in items]) for key in joined})
    counts = torch.tensor([len(item["present_areas"]) for item in items])
    batch["present_view"] = torch.arange(len(items)).repeat_interleave(counts)
    starts = np.cumsum([0] + [len(item["set_table"]) for item in items])
    batch["set_table"] = torch.cat([item["set_table"] for item in items])
    batch["set_index"] = torch.stack([item["set_index"] + int(s) for item, s in zip(items, starts[:-1], strict=True)])
    return batch


class WholeImages(Dataset[dict[str, Any]]):
    """Whole images at working scale.

    An item holds `image_id`, `image` (3, h, w) uint8 RGB, `size` (H, W) of the image and, where annotations are
    given, `set_index` (H, W) int64 and `set_table` (S, C) bool at the image's size; `semantic_only` says that
    nobody will ask for a panoptic map.
    """

    def __init__(
        self,
        split: ImageTree | ImageFolder,
        ids: Sequence[str],
        scale: float,
        annotations: WeakAnnotations | None,
        semantic_only: bool = False,
    ) -> None:
        self.split, self.ids, self.scale, self.annotations = split, tuple(ids), scale, annotations
        self.semantic_only = semantic_only

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One image."""
        image_id = self.ids[index]
        image = self.split.image(image_id)
        height, width = image.shape[:2]
        shown = whole_view(height, width, self.scale).image(image)
        item: dict[str, Any] = {
            "image_id": image_id,
            "image": torch.from_numpy(shown).permute(2, 0, 1),
            "size": (height, width),
            "semantic_only": self.semantic_only,
        }
        if self.annotations is not None:
            entry = self.annotations.images[image_id]
            sets = whole_image_sets(entry, self.annotations.grid, self.annotations.catalog)
            item["set_index"] = torch.from_numpy(sets.index).long()
            item["set_table"] = torch.from_numpy(sets.table)
        return item


def single_image(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of one, so that images of any size can be mixed."""
    (item,) = items
    return {**item, "image": item["image"][None]}


class PanopticDataModule(pl.LightningDataModule):
    """Loaders of one round: training views, and the whole images to predict; None for what is not asked for."""

    def __init__(
        self,
        training: TrainingViews | None,
        prediction: WholeImages | None,
        batch_size: int,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.training, self.prediction = training, prediction
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        # There may be more ranks than images to predict.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def train_dataloader(self) -> DataLoader[dict[str, torch.Tensor]]:
        """Shuffled views."""
        assert self.trainer is not None
        assert self.training is not None
        return DataLoader(
            dataset=self.training,
            batch_size=self.batch_size,
            sampler=EpochSampler(len(self.training), self.seed, self.trainer.global_rank, self.trainer.world_size),
            num_workers=self.workers,
            collate_fn=collate_views,
            persistent_workers=self.workers > 0,
            # A last batch of one would give BatchNorm nothing to normalise over.
            drop_last=len(self.training) >= self.batch_size * self.trainer.world_size,
        )

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every image once over all ranks."""
        assert self.trainer is not None
        assert self.prediction is not None
        return DataLoader(
            dataset=self.prediction,
            batch_size=1,
            sampler=range(self.trainer.global_rank, len(self.prediction), self.trainer.world_size),
            num_workers=self.workers,
            collate_fn=single_image,
        )
