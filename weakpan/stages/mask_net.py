"""Stage `mask_net`: a mask network from images and boxes; it runs in this process, on a GPU if there is one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from weakpan.basics.console import clock
from weakpan.basics.errors import ConfigError, DataError, RunError
from weakpan.data.loaders.box_crops import BoxDataModule, BoxedImage, BoxWindows
from weakpan.masks.mask_net_settings import MaskNetSettings, MaskNetworkSettings
from weakpan.masks.network_predictor import FORMAT, read_mask_net, write_mask_net
from weakpan.models.encoder import INIT_PRETRAINED, create_timm, load_matching
from weakpan.models.mask_net import MaskNet
from weakpan.parallel.sharing import SAY_EVERY, Outcome
from weakpan.stages.build import quieten_lightning
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import digest_of_ids, record_of
from weakpan.storage.images import inspect_image, read_rgb
from weakpan.tasks.annotation_source import AnnotationSource
from weakpan.training.mask_module import MaskModule
from weakpan.training.schedules import Poly

log = logging.getLogger(__name__)

NAME = "mask_net.pt"
"""The trained network, in the folder of the results."""


class SayLosses(pl.Callback):
    """Prints step, losses and time left now and then."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._start = self._last = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Say it if it is time."""
        now = time.monotonic()
        if now - self._last > SAY_EVERY or trainer.global_step == trainer.max_steps:
            self._last = now
            left = (now - self._start) / trainer.global_step * (trainer.max_steps - trainer.global_step)
            losses = ", ".join(
                f"{name.partition('/')[2]} {float(value):.3f}" for name, value in trainer.callback_metrics.items()
            )
            log.info(
                "mask_net: step %d/%d [%s, %s left] %s",
                trainer.global_step,
                trainer.max_steps,
                clock(now - self._start),
                clock(left),
                losses,
            )


def run_mask_net(experiment: Experiment, ids: Sequence[str]) -> Outcome:
    """Train a mask network for a run folder; see `make_mask_net`."""
    record = record_of(experiment, "mask_net")
    record.refuse_others()
    config = experiment.config
    make_mask_net(experiment.annotations, ids, config.mask_net, experiment.stores.folder, record.claim, config.trainer)
    record.seal((), lambda _: (), {})
    return Outcome(made=len(ids))


def make_mask_net(
    annotations: AnnotationSource,
    ids: Sequence[str],
    settings: MaskNetSettings,
    out: Path,
    claim: Callable[[], object] | None = None,
    trainer: Mapping[str, Any] | None = None,
) -> None:
    """Train a mask network on the boxes of all images and write it to `out`/mask_net.pt; one that is there is kept.

    The same settings give the same network on the same processor with as many threads of torch, for any number of
    loader processes; on a GPU, sums in another order may make a small difference. A training that was cut short begins
    anew.

    Raises:
        ConfigError: an encoder that cannot be built, or batches of one window.
        DataError: unreadable input or initial weights, or no box that is large enough to learn from.
        RunError: the network that is there learned from other images or cannot be read, or this one's weights grew
            beyond all bounds.
    """
    path, learned_from = out / NAME, digest_of_ids(ids)
    if path.is_file():
        _check_kept(path, learned_from)
        log.info("mask_net: %s was there", path)
        return
    _check_encoder(settings.network.encoder)
    windows = settings.windows
    data = BoxWindows(_boxed_images(annotations, ids), windows, settings.seed)
    if not len(data):
        raise DataError(
            f"none of the {len(ids)} images has an instance box of at least {windows.min_box} pixels on each side",
            key="mask_net.windows.min_box",
            found=windows.min_box,
            remedy="give other images, or lower it",
        )
    if min(windows.images, len(data)) * windows.a_image < 2:
        raise ConfigError(
            f"with mask_net.windows.images={windows.images} and {len(data)} images to learn from a batch would be one "
            "window, which BatchNorm cannot learn from",
            key="mask_net.windows.a_image",
            found=windows.a_image,
            remedy="give a larger one",
        )
    log.info("mask_net: %d boxes in %d images", data.boxes, len(data))
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network, made_with = _network(settings.network)
        optimizer = settings.optimizer
        adam = partial(torch.optim.AdamW, lr=optimizer.learning_rate, weight_decay=optimizer.weight_decay)
        module = MaskModule(network, settings.losses, adam, Poly, optimizer.encoder_factor)
        _fit(module, BoxDataModule(data, settings.loaders), settings.steps, trainer or {})
    if not all(torch.isfinite(values).all() for values in network.state_dict().values() if values.is_floating_point()):
        raise RunError(
            "the weights grew beyond all bounds",
            key="mask_net.optimizer.learning_rate",
            found=settings.optimizer.learning_rate,
            remedy="lower it",
        )
    note = {"ids": learned_from, "images": len(data), "boxes": data.boxes, "settings": asdict(settings)}
    if claim is not None:
        claim()
    write_mask_net(path, network, made_with, windows.side, windows.shares, note)
    log.info("mask_net: %s written", path)


def _check_kept(path: Path, learned_from: str) -> None:
    """Refuse a network that is damaged, or that learned from other images, which no setting would tell."""
    try:
        before = read_mask_net(path).note.get("ids", learned_from)
    except DataError as error:
        raise RunError(f"{path} is there and cannot be read; delete it, and it is made again ({error})") from error
    if before != learned_from:
        raise RunError(
            f"{path} learned from other images ({before}; {learned_from} now); give another run, or the images that it "
            "learned from"
        )


def _check_encoder(name: str) -> None:
    """Refuse an encoder that cannot be built before any image is opened; raises ConfigError naming the key."""
    with torch.random.fork_rng():
        try:
            create_timm(name, None, features_only=True)
        except ConfigError as error:
            raise error.below("mask_net.network") from error


def _boxed_images(annotations: AnnotationSource, ids: Sequence[str]) -> list[BoxedImage]:
    images = []
    for image_id in ids:
        path = annotations.image_path(image_id)
        annotation = annotations.annotation(image_id, inspect_image(path), with_tags=False)
        images.append(BoxedImage(partial(read_rgb, path), annotation.boxes))
    return images


def _network(settings: MaskNetworkSettings) -> tuple[MaskNet, Mapping[str, Any]]:
    """A network with its initial weights, and the arguments that it is made with."""
    made_with = {"encoder": settings.encoder, "channels": settings.channels}
    if settings.init is None or settings.init == INIT_PRETRAINED:
        return MaskNet(settings.encoder, settings.init, settings.channels), made_with
    own = MaskNet(settings.encoder, None, settings.channels)
    if not _is_mask_net(Path(settings.init)):
        load_matching(own.encoder.body, Path(settings.init), "mask_net.network.init")
        return own, made_with
    network = read_mask_net(Path(settings.init)).network
    try:
        own.load_state_dict(network.state_dict())
    except RuntimeError as error:
        raise DataError(
            "a mask network of another encoder or width than mask_net.network says",
            key="mask_net.network.init",
            found=settings.init,
            remedy="give the encoder and channels that it was made with",
        ) from error
    return own, made_with


def _is_mask_net(path: Path) -> bool:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever it is, the reader of weights says what is wrong with it
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def _fit(module: MaskModule, data: BoxDataModule, steps: int, settings: Mapping[str, Any]) -> None:
    quieten_lightning()
    trainer = pl.Trainer(
        accelerator=settings.get("accelerator", "auto"),
        precision=settings.get("precision"),
        devices=1,
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        callbacks=[SayLosses()],
        gradient_clip_val=5.0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, datamodule=data)
