"""The segmenter as a LightningModule: fit on labels, predict semantic and panoptic maps at the image's size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE
from weakpan.basics.catalog import Catalog
from weakpan.basics.panoptic import PanopticMap
from weakpan.basics.settings import check_value, one_of
from weakpan.models.decode import PanopticDecoder
from weakpan.models.encoder import freeze_batch_norm
from weakpan.models.panoptic_net import PanopticNet, PanopticOutput
from weakpan.training.base import TrainingModule
from weakpan.training.losses import LossContext, LossTerm
from weakpan.training.optimizers import OptimizerFactory, SchedulerFactory
from weakpan.training.prediction import Prediction

SHARE_UPDATE = 0.05
"""How much of the running class shares a training step replaces."""


class SegmenterModule(TrainingModule):
    """Learns classes and instances of pixels from labels; predicts semantic and panoptic maps.

    Args:
        network: `PanopticNet`, or one with the same output.
        losses: see `TrainingModule`.
        optimizer: see `TrainingModule`.
        decoder: makes a panoptic map of the network's output.
        catalog: class table.
        scheduler: see `TrainingModule`.
        encoder_lr_factor: see `TrainingModule`.
        frozen_batch_norm: keep the encoder's BatchNorm as it was initialised, as published; the heads start from
            nothing and normalise over the batch.
        flip_average: predict the mirrored image too and average.
        channels_last: memory format of the images; faster on GPUs with half precision.
    """

    name = "segmenter"

    def __init__(
        self,
        network: PanopticNet,
        losses: Mapping[str, LossTerm | None],
        optimizer: OptimizerFactory,
        decoder: PanopticDecoder,
        catalog: Catalog,
        scheduler: SchedulerFactory | None = None,
        encoder_lr_factor: float = 1.0,
        frozen_batch_norm: bool = False,
        flip_average: bool = True,
        channels_last: bool = False,
    ) -> None:
        super().__init__(network, losses, optimizer, scheduler, encoder_lr_factor)
        self.network: PanopticNet
        self.catalog, self.decoder = catalog, decoder
        for key, value in (
            ("frozen_batch_norm", frozen_batch_norm),
            ("flip_average", flip_average),
            ("channels_last", channels_last),
        ):
            check_value(key, value, one_of((True, False)))
        self.frozen_batch_norm, self.flip_average = frozen_batch_norm, flip_average
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.register_buffer("class_share", torch.full((catalog.num_classes,), 1 / catalog.num_classes))
        self._keep_batch_norm()

    class_share: Tensor

    def train(self, mode: bool = True) -> SegmenterModule:
        """Switch to training; frozen BatchNorm stays in evaluation mode."""
        super().train(mode)
        if mode:
            self._keep_batch_norm()
        return self

    def _keep_batch_norm(self) -> None:
        if self.frozen_batch_norm:
            freeze_batch_norm(self.network if self.encoder is None else self.encoder)

    def _see(self, images: Tensor) -> PanopticOutput:
        output: PanopticOutput = self.network((images.float() / 255).to(memory_format=self.memory_format))
        return output

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Weighted sum of the losses on a batch of random crops."""
        self._count_classes(batch["semantic"])
        context = LossContext(batch["semantic"].shape[-2:], self.class_share)
        values = self.losses_of(self._see(batch["image"]), batch, context)
        self.log_losses(values, len(batch["image"]))
        return values["total"]

    def _count_classes(self, semantic: Tensor) -> None:
        """Follow the share of the classes over the last steps."""
        labelled = semantic[semantic != IGNORE]
        if labelled.numel() > 0:
            counts = torch.bincount(labelled, minlength=len(self.class_share))
            self.class_share.lerp_(counts / labelled.numel(), SHARE_UPDATE)

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> Prediction:  # noqa: ARG002
        """Predict one image of any size, as an item of `WholeImages`; maps are made when they are asked for.

        With `semantic_only` in the batch the network is spared what only a panoptic map needs.
        """
        semantic_only = bool(batch.get("semantic_only", False))
        with self._classes_only(semantic_only):
            logits, centre, offset = self._predict_maps(batch["image"])
        decode = None if semantic_only else partial(self._decode, centre, offset, batch["image"].shape[-2:])
        sets = (batch["set_table"], batch["set_index"]) if "set_table" in batch else None
        return Prediction(batch["image_id"], batch["size"], batch["image"][0], logits, decode, sets)

    @contextmanager
    def _classes_only(self, semantic_only: bool) -> Iterator[None]:
        """Without a panoptic map, centres and offsets are not looked at; ours can leave them out."""
        # A network that is derived from ours may look at what ours says of them.
        if not semantic_only or type(self.network).forward is not PanopticNet.forward:
            yield
            return
        self.network.classes_only = True
        try:
            yield
        finally:
            self.network.classes_only = False

    def _predict_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self._see(images)
        semantic, centre, offset = output.semantic.float(), output.centre.float(), output.offset.float()
        if self.flip_average:
            mirrored = self._see(images.flip(-1))
            # A mirrored offset points the other way horizontally.
            sign = torch.tensor([1.0, -1.0], device=offset.device).view(1, 2, 1, 1)
            semantic = (semantic + mirrored.semantic.float().flip(-1)) / 2
            centre = (centre + mirrored.centre.float().flip(-1)) / 2
            offset = (offset + mirrored.offset.float().flip(-1) * sign) / 2
        return semantic, centre, offset

    def _decode(self, centre: Tensor, offset: Tensor, working: torch.Size, probabilities: Tensor) -> PanopticMap:
        """Decode at the size of the image: offsets grow with it."""
        size = probabilities.shape[-2:]
        centre, offset = (F.interpolate(m, working, mode="bilinear", align_corners=False) for m in (centre, offset))
        factor = torch.tensor([size[0] / centre.shape[-2], size[1] / centre.shape[-1]], device=offset.device)
        enlarged = F.interpolate(offset, size, mode="bilinear", align_corners=False)[0] * factor.view(2, 1, 1)
        heatmap = F.interpolate(centre, size, mode="bilinear", align_corners=False)[0, 0]
        is_thing = torch.from_numpy(self.catalog.is_thing[: self.catalog.num_classes]).to(heatmap.device)
        return self.decoder(probabilities, heatmap, enlarged, is_thing)
