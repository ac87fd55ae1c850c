"""A trained mask network: its file, and its masks in the boxes of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.errors import DataError
from weakpan.basics.torch_threads import one_thread
from weakpan.data.annotations import Box, BoxKind
from weakpan.data.loaders.box_window import Window
from weakpan.models.mask_net import MaskNet, MaskOutput
from weakpan.storage.checkpoints import save_whole

FORMAT = "weakpan-mask-net"
VERSION = 1

# Windows that go through the network together; more gain nothing on a processor core.
_TOGETHER = 16


@dataclass(frozen=True)
class NetworkPredictor:
    """A mask network ready to be asked.

    Attributes:
        network: in evaluation mode.
        side: of the windows, pixels.
        shares: of a window that the longest side of its box takes, 0..1; one or more, over which is averaged.
        note: what it has learned from, as `write_mask_net` was told.
    """

    network: MaskNet
    side: int
    shares: tuple[float, ...]
    note: Mapping[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    @one_thread()
    def probabilities(self, image: RGBImage, boxes: Sequence[Box]) -> dict[int, FloatMap]:
        """Probabilities that pixels of boxes are their objects; means over image and mirror image at all scales.

        Args:
            image: (H, W, 3) RGB, 0..255.
            boxes: in the image, of any kind.

        Returns:
            By position of the instance boxes in `boxes`, (box height, box width), 0..1.
        """
        wanted = [index for index, box in enumerate(boxes) if box.kind is BoxKind.INSTANCE]
        found: dict[int, FloatMap] = {}
        for start in range(0, len(wanted), _TOGETHER):
            part = wanted[start : start + _TOGETHER]
            for share in self.shares:
                windows = [Window.around(boxes[index], self.side, share) for index in part]
                pixels = np.stack([window.image(image) for window in windows]).transpose(0, 3, 1, 2)
                where = np.stack([w.coordinates(boxes[index]) for w, index in zip(windows, part, strict=True)])
                asked = self._ask(torch.from_numpy(pixels).float() / 255, torch.from_numpy(where)).numpy()
                for index, window, values in zip(part, windows, asked / len(self.shares), strict=True):
                    here = window.to_box(values, boxes[index])
                    found[index] = found[index] + here if index in found else here
        return found

    def _ask(self, windows: Tensor, coordinates: Tensor) -> Tensor:
        """(B, h, w) probabilities of (B, 3, S, S) windows, 0..1, and (B, 5, S, S) of their boxes."""
        mirror = torch.tensor([-1.0, 1, 1, 1, 1]).view(1, -1, 1, 1)
        seen: MaskOutput = self.network(windows, coordinates)
        mirrored: MaskOutput = self.network(windows.flip(-1), coordinates.flip(-1) * mirror)
        return (seen.mask.sigmoid() + mirrored.mask.sigmoid().flip(-1))[:, 0] / 2


def write_mask_net(
    path: Path,
    network: MaskNet,
    made_with: Mapping[str, Any],
    side: int,
    shares: Sequence[float],
    note: Mapping[str, Any],
) -> None:
    """Write a trained network, whole or not at all.

    Args:
        path: of the file.
        network: its weights.
        made_with: arguments of `MaskNet` without `init`.
        side: of the windows, pixels.
        shares: of a window that the longest side of its box takes.
        note: what it has learned from, in plain values.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": dict(made_with),
        "side": side,
        "shares": list(shares),
        "note": dict(note),
        "state_dict": {name: value.detach().cpu() for name, value in network.state_dict().items()},
    }
    save_whole(content, path)


def read_mask_net(path: Path) -> NetworkPredictor:
    """Read a trained network; nothing in the file is executed.

    Raises:
        DataError: no such file, or none that `make_gt.py stage=mask_net` wrote.
    """
    advice = "give a mask_net.pt that make_gt.py stage=mask_net wrote"
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {advice}") from None
    except Exception as error:  # torch raises half a dozen types for a damaged file
        # Their texts advise to load what cannot be trusted.
        raise DataError(f"{path}: not a readable weights file ({type(error).__name__}); {advice}") from error
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise DataError(f"{path}: not a mask network of version {VERSION}; {advice}")
    try:
        # The random weights that are replaced at once must not take numbers from whoever asks.
        with torch.random.fork_rng(devices=[]):
            network = MaskNet(**content["network"])
        network.load_state_dict(content["state_dict"])
        return NetworkPredictor(network.eval(), int(content["side"]), tuple(content["shares"]), dict(content["note"]))
    except RuntimeError as error:
        raise DataError(f"{path}: its weights do not fit its network; {advice}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: a part of the file is missing or wrong ({error!r}); {advice}") from error
