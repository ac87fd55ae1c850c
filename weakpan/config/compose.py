"""From what Hydra composed to typed objects, with errors that name the key."""

from __future__ import annotations

from typing import TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from weakpan.basics.errors import ConfigError, WeakpanError
from weakpan.basics.settings import check_settings
from weakpan.config.command_line import config_error, own_cause
from weakpan.config.sweeps import register_resolvers

Schema = TypeVar("Schema")


def register(name: str, schema: type[object]) -> None:
    """Make a schema known to Hydra, so that it refuses unknown keys and wrong types with the full key.

    Configurations may name the folders of a sweep, see `weakpan.config.sweeps`.
    """
    ConfigStore.instance().store(name=name, node=schema)
    register_resolvers()


def to_object(schema: type[Schema], given: DictConfig) -> Schema:
    """A composed configuration as an object of the schema, its values in their ranges.

    Raises:
        ConfigError: a missing value, an unknown key, a wrong type, an interpolation that leads nowhere, or a value out
            of its range.
    """
    try:
        # As plain values: a node of a schema may hold keys that were added to it (`+KEY=VALUE`), and merges unchecked.
        composed = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.to_container(given))
        # The time of day was asked for before: for the folder that Hydra made.
        OmegaConf.copy_cache(given, composed)
        missing = sorted(OmegaConf.missing_keys(composed))
    except OmegaConfBaseException as error:
        raise config_error(error) from error
    if missing:
        raise ConfigError(f"no value for {', '.join(missing)}", remedy="give one as KEY=VALUE on the command line")
    assert isinstance(composed, DictConfig)
    try:
        config = OmegaConf.to_object(composed)
    except (OmegaConfBaseException, WeakpanError) as error:
        cause = own_cause(error)
        if cause is None:
            raise (config_error(error) if isinstance(error, OmegaConfBaseException) else error) from error
        raise (cause if cause.key is None else cause.below(_refusing(composed))) from error
    assert isinstance(config, schema)
    check_settings(config)
    return config


def _refusing(composed: DictConfig) -> str:
    """Place of the innermost settings that refuse a value; empty for the configuration itself."""
    for name in map(str, composed):
        child = composed._get_node(name)
        if isinstance(child, DictConfig) and not child._is_none():
            try:
                OmegaConf.to_object(child)
            except Exception:  # whatever they raise
                return f"{name}.{_refusing(child)}".rstrip(".")
    return ""
