"""Which groups and keys each of the scripts knows, by its file in conf/: what one lacks may belong to another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Script:
    """A script and its configuration.

    Attributes:
        path: of the script; `conf/NAME.yaml` beside it is its configuration.
    """

    path: Path

    @property
    def name(self) -> str:
        """`train.py`, for instance."""
        return self.path.name

    @property
    def folder(self) -> Path:
        """Folder of the configuration."""
        return self.path.parent / "conf"

    @cached_property
    def _content(self) -> dict[str, Any]:
        try:
            content = OmegaConf.to_container(OmegaConf.load(self.folder / f"{self.path.stem}.yaml"), resolve=False)
        except Exception:
            # Hydra says it of a file that the command needs; here an error is being told, which this must not hide.
            return {}
        return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups that `GROUP=NAME` chooses from."""
        entries = [entry for entry in self._content.get("defaults") or () if isinstance(entry, dict)]
        names = [str(name) for entry in entries for name in entry]
        return tuple(name for name in names if " " not in name)

    @property
    def others(self) -> tuple[Script, ...]:
        """The other scripts."""
        scripts = (self.path.with_name(f"{c.stem}.py") for c in sorted(self.folder.glob("*.yaml")))
        return tuple(Script(path) for path in scripts if path != self.path and path.is_file())

    def options(self, group: str) -> tuple[str, ...]:
        """Names that a group has."""
        return tuple(sorted(file.stem for file in (self.folder / group).glob("*.yaml")))

    def knows(self, key: str) -> bool:
        """Whether the first part of a key is one of the script's."""
        return key in self.groups or (key in self._content and key not in ("defaults", "hydra"))

    def elsewhere(self, key: str) -> str:
        """`make_gt.py`, or several: the other scripts that know a key; empty where none does."""
        return " and ".join(other.name for other in self.others if other.knows(key))
