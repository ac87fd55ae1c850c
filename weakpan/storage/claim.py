"""The settings that a folder of results stands for: results of others are not mixed into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weakpan.basics.errors import RunError
from weakpan.storage.map_store import read_settings, refuse_changed_settings, write_manifest_once


class FolderClaim(ABC):
    """Keeps the settings with the first result, and compares them from then on.

    An attempt that makes nothing leaves no settings behind, so that the next one may have others. Of processes that
    started together, with other settings each, the first to have a result makes its own those of the folder.

    Attributes:
        settings: flat, whatever would make other results.
    """

    settings: Mapping[str, Any]

    @property
    @abstractmethod
    def path(self) -> Path:
        """File of the settings."""

    @property
    @abstractmethod
    def head(self) -> Mapping[str, Any]:
        """What else the file holds."""

    def refuse_others(self) -> None:
        """Compare with the settings that results in the folder were made with, if there are any.

        Raises:
            RunError: they differ; the message names them.
        """
        if self.path.is_file():
            refuse_changed_settings(self.path, read_settings(self.path), self.settings)

    def __call__(self) -> bool:
        """Keep the settings; called when a result is made and before it is written.

        Returns:
            Whether this call has written them: they are of the first result.

        Raises:
            RunError: results of other settings came first.
        """
        self.refuse_others()
        written = write_manifest_once(self.path, {**self.head, "settings": dict(self.settings)})
        try:
            # Another process may have written in between.
            self.refuse_others()
        except RunError:
            if written:
                self.path.unlink(missing_ok=True)
            raise
        return written
