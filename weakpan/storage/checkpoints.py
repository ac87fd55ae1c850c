"""Checkpoints that are whole or not there, and that say so when they were damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from weakpan.basics.errors import DataError
from weakpan.storage.files import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them.

    Lightning writes them to the folder for temporary files, and moving them from another file system is a copy, which
    a kill can cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Called by Lightning on rank 0.

        Raises:
            TypeError: storage options, which a plain file has none of.
        """
        if storage_options is not None:
            raise TypeError(f"storage_options={storage_options}: a checkpoint file takes none")
        save_whole(checkpoint, Path(path))


def save_whole(content: Mapping[str, Any], path: Path) -> None:
    """`torch.save` to a file that is whole or not there.

    Raises:
        OSError: it could not be written, for want of room for instance.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # Torch goes on to complain about its archive when the file has refused a write.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def refuse_damaged(path: Path, remedy: str = "delete it to train again, or fetch it from a backup") -> None:
    """Read a checkpoint through and hold it against the checksums in it.

    Args:
        path: of the checkpoint.
        remedy: what to do about a damaged one.

    Raises:
        DataError: a missing, truncated or altered file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except FileNotFoundError:
        raise DataError(f"{path}: no such checkpoint; the training was not finished") from None
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
        print(f"warning: {error}; it is removed and this training begins again from its first epoch", flush=True)
        path.unlink()
        return None
    return path
