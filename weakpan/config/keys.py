"""Errors that name a setting as it is typed for the command that was given.

Settings check themselves, and know the key that they have in make_gt.py: `masks.dials.core`. In train.py the same
settings stand at `masks`, and those of a flow of probabilities at two places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from omegaconf import DictConfig, OmegaConf


def in_full(message: str, path: str, names: Iterable[str]) -> str:
    """A message in which keys of some settings begin with the place of these.

    Args:
        message: may name keys of the settings by the end of their place, `masks.kind` at the place `masks`.
        path: place of the settings, `masks` for instance; empty for the configuration itself.
        names: keys of the settings; what merely looks like one, as the file `masks.json`, stays as it is.
    """
    if not path:
        return message
    parts, known = path.split("."), "|".join(map(re.escape, names))
    for start in range(len(parts)):
        key = re.compile(rf"(?<![\w./]){re.escape('.'.join(parts[start:]))}(?=\.({known})\b)")
        if key.search(message):
            return key.sub(path, message)
    return message


def refusing_settings(composed: DictConfig) -> tuple[str, tuple[str, ...]]:
    """Place and keys of the innermost settings that refuse a value; the place is empty for the configuration itself."""
    for name in map(str, composed):
        child = composed[name]
        if not isinstance(child, DictConfig):
            continue
        try:
            OmegaConf.to_object(child)
        except Exception:
            inner, names = refusing_settings(child)
            return f"{name}.{inner}".rstrip("."), names
    return "", tuple(map(str, composed))
