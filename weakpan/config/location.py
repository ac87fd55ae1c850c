"""The place of the YAML files that ship with the package."""

from __future__ import annotations

from pathlib import Path

import weakpan

_PACKAGE = Path(weakpan.__file__).resolve().parent


def conf_folder() -> Path:
    """Folder with `train.yaml`, `predict.yaml`, `make_gt.yaml` and their groups, absolute.

    A wheel carries it inside the package; in a checkout, and with an editable install, it lies beside the package.
    """
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"
