"""Image encoders: any feature extractor of timm, with its input normalisation and its weights from a local file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from weakpan.basics.errors import ConfigError, DataError

INIT_PRETRAINED = "pretrained"
"""Value of `init` that asks the library for its own weights (needs a network or a warm cache)."""


class Normalise(nn.Module):
    """From RGB in 0..1 to what the encoder was trained on; part of the network, so that a checkpoint carries it."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB, 0..1, to the same shape."""
        return (images - self.mean) / self.std


def create_timm(name: str, init: str | None, **kwargs: Any) -> nn.Module:
    """A timm model by name with its initial weights.

    Args:
        name: timm model name.
        init: None for random weights, `pretrained` for the library's, or the path of a state dict (.pth, .pt), whose
            keys are timm's, or a checkpoint that holds one under `state_dict`, that of a crop classifier included.
        kwargs: passed on to `timm.create_model`.

    Raises:
        ConfigError: an unknown model name or arguments that this model does not take; key `encoder`.
        DataError: a weights file that is missing, unreadable or of another architecture; key `init`.
    """
    if not timm.is_model(name):
        near = timm.list_models(f"*{str(name).split('_')[0]}*")[:5]
        raise ConfigError(f"no such timm model; near names: {', '.join(near) or 'none'}", key="encoder", found=name)
    try:
        model: nn.Module = timm.create_model(name, pretrained=init == INIT_PRETRAINED, **kwargs)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise ConfigError(f"cannot be built with {kwargs}: {error}", key="encoder", found=name) from error
    if init is not None and init != INIT_PRETRAINED:
        load_matching(model, Path(init), "init")
    return model


def load_matching(model: nn.Module, path: Path, key: str) -> None:
    """Load the weights of a file into a model; its classification head may be of another size and is left alone.

    Raises:
        DataError: a missing or unreadable file, or one in which fewer than 90 % of the model's encoder tensors are.
    """
    # A checkpoint of our crop classifier keeps the encoder within its module.
    state = {name.removeprefix("network.body."): value for name, value in read_state_dict(path, key).items()}
    own = model.state_dict()
    # features_only wrappers may flatten `blocks.0` to `blocks_0`; compare without the difference.
    by_plain_name = {_plain(name): value for name, value in state.items()}
    matching: dict[str, Tensor] = {}
    for name, value in own.items():
        found = by_plain_name.get(_plain(name))
        if found is not None and found.shape == value.shape:
            matching[name] = found
    # BatchNorm's batch counter is in some files and not in others, and nothing depends on it.
    counted = [name for name in own if not _is_head(name) and not name.endswith("num_batches_tracked")]
    share = sum(name in matching for name in counted) / max(1, len(counted))
    if share < 0.9:
        raise DataError(
            f"only {share:.0%} of the encoder's tensors are in this file; it belongs to another architecture than the "
            "encoder that is configured",
            key=key,
            found=path,
        )
    model.load_state_dict({**own, **matching})


def read_state_dict(path: Path, key: str) -> dict[str, Tensor]:
    """Tensors of a weights file, read without executing anything in it; raises DataError."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError("no such weights file", key=key, found=path) from None
    except Exception as error:  # torch raises half a dozen types for a damaged file
        what = f"not a readable weights file ({type(error).__name__}: {error})"
        raise DataError(what, key=key, found=path) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        what = f"expected a state dict (names to tensors), found {type(content).__name__}"
        raise DataError(what, key=key, found=path)
    return dict(state)


def _plain(name: str) -> str:
    return name.replace("_", ".")


def _is_head(name: str) -> bool:
    return name.split(".")[0] in {"classifier", "fc", "head", "head_fc"}


class Encoder(nn.Module):
    """Feature pyramid of a timm model, input normalisation included.

    Attributes:
        channels: of each level, finest first.
        strides: of each level, finest first.
    """

    def __init__(self, name: str, init: str | None, output_stride: int = 32) -> None:
        super().__init__()
        self.body = create_timm(name, init, features_only=True, output_stride=output_stride)
        info: Any = self.body.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        settings: Mapping[str, Any] = getattr(self.body, "pretrained_cfg", None) or {}
        self.normalise = Normalise(
            tuple(settings.get("mean", (0.485, 0.456, 0.406))), tuple(settings.get("std", (0.229, 0.224, 0.225)))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB, 0..1, to one (B, C, h, w) a level, finest first."""
        return cast(list[Tensor], self.body(self.normalise(images)))


def freeze_batch_norm(network: nn.Module) -> None:
    """Keep running statistics and affine parameters of every BatchNorm as they are; call again after `.train()`."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
            for parameter in module.parameters():
                parameter.requires_grad_(False)
