"""From what Hydra composed to typed objects, with errors that name the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from weakpan.basics.errors import ConfigError, WeakpanError
from weakpan.config.command_line import describe
from weakpan.config.keys import in_full, refusing_settings
from weakpan.config.sweeps import register_resolvers

Schema = TypeVar("Schema")


def register(name: str, schema: type[object]) -> None:
    """Make a schema known to Hydra, so that it refuses unknown keys and wrong types with the full key.

    Configurations may name the folders of a sweep, see `weakpan.config.sweeps`.
    """
    ConfigStore.instance().store(name=name, node=schema)
    register_resolvers()


def to_object(schema: type[Schema], given: DictConfig) -> Schema:
    """A composed configuration as an object of the schema.

    Raises:
        ConfigError: a missing value, an unknown key, a wrong type, an interpolation that leads nowhere, or a value that
            settings refuse themselves.
    """
    try:
        # As plain values: a node of a schema may hold keys that were added to it (`+KEY=VALUE`), and merges unchecked.
        composed = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.to_container(given))
        # What time it is was asked before: for the folder that Hydra made.
        OmegaConf.copy_cache(given, composed)
        missing = OmegaConf.missing_keys(composed)
    except Exception as error:
        raise ConfigError(describe(error) if isinstance(error, OmegaConfBaseException) else str(error)) from error
    if missing:
        raise ConfigError(f"no value for {', '.join(sorted(missing))}; give one as KEY=VALUE on the command line")
    try:
        config = OmegaConf.to_object(composed)
    except Exception as error:
        # Settings that check themselves raise inside OmegaConf, which may wrap what they said.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, WeakpanError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            assert isinstance(composed, DictConfig)
            raise ConfigError(in_full(str(cause), *refusing_settings(composed))) from error
        raise ConfigError(describe(error) if isinstance(error, OmegaConfBaseException) else str(error)) from error
    assert isinstance(config, schema)
    return config


def check_values(values: Mapping[str, float], valid: Callable[[float], bool], expected: str) -> None:
    """Refuse values out of range.

    Args:
        values: by full key.
        valid: tells whether a value may be used.
        expected: what it accepts, in words.

    Raises:
        ConfigError: naming the first key whose value is not valid.
    """
    for key, value in values.items():
        if not valid(value):
            raise ConfigError(f"{key}={value}: expected {expected}")
