"""Checkpoints that are whole or not there, and that say so when they were damaged."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import nn

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, one_line
from weakpan.storage.class_table import ClassTable, from_catalog, to_catalog
from weakpan.storage.files import replacing

log = logging.getLogger(__name__)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them.

    Lightning writes them to the folder for temporary files, and moving them from another file system is a copy, which
    a kill can cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Called by Lightning on rank 0; raises TypeError for storage options, which a plain file has none of."""
        if storage_options is not None:
            raise TypeError(f"storage_options={storage_options}: a checkpoint file takes none")
        save_whole(checkpoint, Path(path))


def save_whole(content: Mapping[str, Any], path: Path) -> None:
    """`torch.save` to a file that is whole or not there; raises OSError where there is no room, for instance."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # Torch goes on to complain about its archive when the file has refused a write.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def refuse_damaged(path: Path, remedy: str = "delete it to train again, or fetch it from a backup") -> None:
    """Hold a checkpoint against the checksums in it; raises DataError if it is missing, truncated or altered."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except FileNotFoundError:
        raise DataError(
            "no such checkpoint", path=path, remedy="finish the training first, with train.py or make_gt.py"
        ) from None
    except Exception as error:  # zipfile raises half a dozen types for a damaged file
        raise DataError(f"{path}: not a readable checkpoint, perhaps cut short ({error}); {remedy}") from error
    if bad is not None:
        raise DataError(f"{path}: damaged, {bad} in it does not fit its checksum; {remedy}")


def resume_point(path: Path) -> Path | None:
    """The checkpoint that a training goes on from, if there is a whole one.

    A damaged one is reported and removed: training from the start of the stage gives the same weights.
    """
    if not path.is_file():
        return None
    try:
        refuse_damaged(path)
    except DataError as error:
        log.warning("%s; it is removed and this training begins again from its first epoch", error)
        path.unlink()
        return None
    return path


@dataclass(frozen=True)
class Checkpoint:
    """A network with everything that is needed to build and use it, wherever the file lies.

    Attributes:
        kind: `segmenter` or `classifier`.
        module: the LightningModule as the configuration had it, a node with `_target_`, in plain containers.
        catalog: class table.
        data: group `data` of the configuration.
        supervision: kinds of supervision that stand behind the weights, in words.
        figures: of the training: `round`, `loss`, ...
        state: weights by name.
    """

    kind: str
    module: Mapping[str, Any]
    catalog: Catalog
    data: Mapping[str, Any]
    supervision: Sequence[str]
    figures: Mapping[str, Any]
    state: Mapping[str, torch.Tensor]

    def without_initial_weights(self) -> dict[str, Any]:
        """The module's node, whose network is not to begin with weights that this file replaces."""
        network = {**self.module["network"], **({"init": None} if "init" in self.module["network"] else {})}
        return {**self.module, "network": network}

    def load_into(self, module: nn.Module, path: Path) -> None:
        """Load the weights into a module; raises DataError, with the path, for another network."""
        try:
            module.load_state_dict(dict(self.state))
        except RuntimeError as error:
            what = one_line(str(error))[:_MOST_SAID]
            raise DataError(f"weights of another network ({what})", path=path) from error

    def write(self, path: Path) -> None:
        """Write the file, atomically; plain containers and tensors on the CPU only."""
        about = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "module": dict(self.module),
            "classes": from_catalog(self.catalog),
            "data": dict(self.data),
            "supervision": list(self.supervision),
            "figures": dict(self.figures),
        }
        state = {name: value.detach().cpu() for name, value in self.state.items()}
        save_whole({"state_dict": state, "weakpan": about}, path)


FORMAT = "weakpan-checkpoint"
VERSION = 1
_MOST_SAID = 300
"""Characters that are quoted of an error of torch, which may list all tensors of a network."""


def read_checkpoint(
    path: Path, kind: str, remedy: str = "delete it to train again, or fetch it from a backup"
) -> Checkpoint:
    """Read a checkpoint; it is data, and nothing that it names is built or run here.

    Raises:
        DataError: a missing or damaged file, one of another program or version, or of another kind.
    """
    refuse_damaged(path, remedy)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        about, state = dict(content["weakpan"]), dict(content["state_dict"])
    except Exception as error:  # torch raises half a dozen types for what is not its own
        what = one_line(f"{type(error).__name__}: {error}")[:_MOST_SAID]
        raise DataError(f"whole, but not a checkpoint of weakpan ({what})", path=path) from error
    found = about.get("format"), about.get("version")
    if found != (FORMAT, VERSION):
        raise DataError(
            f"a checkpoint of {found[0]} version {found[1]}; this weakpan reads {FORMAT} version {VERSION}",
            path=path,
            remedy="train again, or use the version of weakpan that wrote it",
        )
    if about.get("kind") != kind:
        raise DataError(f"holds a {about.get('kind')}, expected a {kind}", path=path)
    try:
        return Checkpoint(
            kind,
            dict(about["module"]),
            to_catalog(ClassTable.model_validate_json(json.dumps(about["classes"]))),
            dict(about["data"]),
            [str(line) for line in about["supervision"]],
            dict(about["figures"]),
            state,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"damaged head ({type(error).__name__}: {error})", path=path, remedy=remedy) from error
