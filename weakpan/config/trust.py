"""Trust in what a checkpoint names: somebody else's file is data, and builds nothing but networks of known packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weakpan.basics.errors import ConfigError
from weakpan.config.objects import TARGET

TRUSTED = (
    "weakpan.models.", "weakpan.training.", "weakpan.data.loaders.", "torch.nn.", "torch.optim.", "timm.",
)  # fmt: skip
"""Prefixes of what may be built for the sake of a checkpoint."""


def refuse_untrusted(node: object, place: str, packages: Iterable[str] = ()) -> None:
    """Look through a node of a checkpoint before anything of it is imported; further packages may be trusted.

    Raises:
        ConfigError: a `_target_` of another package, or an interpolation, which could read the environment.
    """
    prefixes = (*TRUSTED, *(f"{package}." for package in packages))
    if isinstance(node, Mapping):
        target = node.get(TARGET)
        if target is not None and not str(target).startswith(prefixes):
            package = str(target).partition(".")[0]
            raise ConfigError(
                f"a checkpoint names code of {package}, which would be run",
                key=f"{place}.{TARGET}",
                found=target,
                remedy=f"if you trust that package, add trust=[{package}]",
            )
        for key, value in node.items():
            refuse_untrusted(value, f"{place}.{key}", packages)
    elif isinstance(node, list | tuple):
        for position, value in enumerate(node):
            refuse_untrusted(value, f"{place}[{position}]", packages)
    elif isinstance(node, str) and "${" in node:
        raise ConfigError("a checkpoint must hold plain values, not interpolations", key=place, found=node)
