"""Objects that the configuration names by `_target_`: checked before anything is written, then built by Hydra.

A node is a mapping with `_target_`, the arguments of that class or function, and nodes among them:

    optimizer: {_target_: torch.optim.AdamW, _partial_: true, lr: 1e-3}
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields, is_dataclass, make_dataclass
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any, TypeVar, get_type_hints

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from weakpan.basics.errors import ConfigError, WeakpanError, one_line
from weakpan.basics.settings import check_field, nearest
from weakpan.config.command_line import first_line, own_cause

TARGET = "_target_"
_HYDRAS = (TARGET, "_partial_", "_args_", "_recursive_", "_convert_")
_MOST_SAID = 300
"""Characters that are quoted of an error of a library."""

Object = TypeVar("Object")


def is_node(value: object) -> bool:
    """Whether a value of the configuration names an object."""
    return isinstance(value, Mapping) and TARGET in value


def check_object(node: object, place: str, given: Iterable[str] = (), expected: type | None = None) -> None:
    """Check that a node names something that is there and takes its arguments, and so every node within it.

    Dataclasses are held to the types and ranges of their fields; the others to their signature.

    Args:
        node: of the configuration, plain containers.
        place: its full key.
        given: names of arguments that are added when the object is built.
        expected: base class, where the target is a class.

    Raises:
        ConfigError: with the full key: no target, an argument that it does not take or lacks, a value that does not
            fit.
    """
    if not isinstance(node, Mapping):
        raise ConfigError(f"expected an object, a mapping with {TARGET}", key=place, found=node)
    if TARGET not in node:
        raise ConfigError(f"no {TARGET}", key=place, remedy=f"name a class with {place}.{TARGET}=package.module.Class")
    target = locate(str(node[TARGET]), f"{place}.{TARGET}")
    is_class = inspect.isclass(target) and not node.get("_partial_")
    if expected is not None and is_class and not issubclass(target, expected):
        raise ConfigError(
            f"expected a {expected.__module__}.{expected.__name__} or a subclass",
            key=f"{place}.{TARGET}",
            found=node[TARGET],
        )
    arguments = {str(key): value for key, value in node.items() if key not in _HYDRAS}
    _check_names(target, arguments, tuple(given), node, place)
    for name, value in arguments.items():
        _check_within(value, f"{place}.{name}")
    if is_dataclass(target) and isinstance(target, type):
        _check_types(target, arguments, place)


def _check_within(value: object, place: str) -> None:
    if is_node(value):
        check_object(value, place, given=_ANYTHING)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_within(inner, f"{place}.{key}")


_ANYTHING = ("*",)
"""Given arguments of nodes within others, which their owner may build with more: only unknown names are refused."""


def _check_names(
    target: Callable[..., Any],
    arguments: Mapping[str, Any],
    given: tuple[str, ...],
    node: Mapping[str, Any],
    place: str,
) -> None:
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        # Some classes written in C do not tell.
        return
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in arguments:
            if name not in named:
                # Left from what the group has by itself, where the class is somebody's.
                owner = "" if str(node[TARGET]).startswith("weakpan.") else f" of {node[TARGET]}"
                raise ConfigError(f"no such key{owner}; {nearest(name, named)}", key=f"{place}.{name}")
    if given == _ANYTHING or node.get("_partial_") or "_args_" in node:
        return
    needed = [p.name for p in parameters if p.default is p.empty and p.name in named]
    lacking = [name for name in needed if name not in arguments and name not in given]
    if lacking:
        raise ConfigError(f"no value for {', '.join(lacking)}, which {node[TARGET]} needs", key=place)


def _check_types(target: type, arguments: Mapping[str, Any], place: str) -> None:
    """Hold the arguments of a dataclass to the types and ranges of its fields."""
    hints, ranges = _hints(target), {f.name: f for f in fields(target)}
    for name, value in arguments.items():
        key = f"{place}.{name}"
        if value == "???":
            raise ConfigError("no value", key=key, remedy=f"give {key}=VALUE")
        if name in hints and not _holds_nodes(value):
            typed = _typed(name, hints[name], value, place)
            check_field(ranges[name], typed, key)


def _hints(target: type) -> dict[str, Any]:
    try:
        return get_type_hints(target)
    except NameError:
        # Types that are imported for a type checker alone; the object checks itself.
        return {}


def _typed(name: str, hint: Any, value: Any, place: str) -> Any:
    """A value as its field has it, where that is of a type that OmegaConf knows; else as it is."""
    schema = _field_schema(name, hint)
    if schema is None:
        return value
    try:
        return getattr(OmegaConf.to_object(OmegaConf.merge(schema, {name: value})), name)
    except OmegaConfBaseException as error:
        cause = own_cause(error)
        if cause is not None:
            raise cause.below(f"{place}.{name}") from error
        key, found = f"{place}.{error.full_key or name}", getattr(error, "value", None)
        found = value if found is None else found
        if isinstance(error, ConfigKeyError | ConfigAttributeError) and is_dataclass(error.object_type):
            known = [f.name for f in fields(error.object_type)]
            raise ConfigError(f"no such key; {nearest(str(error.key), known)}", key=key) from error
        raise ConfigError(first_line(str(error.msg or error)), key=key, found=found) from error


@lru_cache(maxsize=1024)
def _field_schema(name: str, hint: Any) -> DictConfig | None:
    """A configuration of one typed field; None for a type that OmegaConf does not know. Merging leaves it as it is."""
    try:
        schema: DictConfig = OmegaConf.structured(make_dataclass("Field", [(name, hint, field(default=MISSING))]))
    except (OmegaConfBaseException, ValueError):
        return None
    return schema


def _holds_nodes(value: object) -> bool:
    if isinstance(value, Mapping):
        return TARGET in value or any(map(_holds_nodes, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_nodes, value))


def locate(name: str, place: str) -> Any:
    """The class or function of a dotted name; raises ConfigError, with the place, where there is none."""
    try:
        # As Hydra's `get_object`, which also writes what is wrong to the log.
        return pkgutil.resolve_name(name)
    except Exception as error:  # whatever the import of somebody's module raises
        remedy = _like(name, error) if isinstance(error, AttributeError) else None
        raise ConfigError(f"cannot be imported ({_cause_of(error)})", key=place, found=name, remedy=remedy) from error


def _like(name: str, error: AttributeError) -> str | None:
    """`did you mean NAME?` where a class or function of a like name is there."""
    known = [other for other in dir(error.obj) if callable(getattr(error.obj, other, None))]
    like = get_close_matches(str(error.name), known, n=1)
    return f"did you mean {name.removesuffix(str(error.name))}{like[0]}?" if like else None


def build(expected: type[Object], node: Mapping[str, Any], place: str, **given: Any) -> Object:
    """Build the object of a node, with arguments that the configuration does not hold; `place` is its full key.

    Raises:
        ConfigError: it cannot be built, or is no `expected`; with the full key.
        WeakpanError: what the object itself raises, with the full key where it names one of its settings.
    """
    check_object(node, place, given, expected)
    try:
        # Hydra itself would make plain containers of settings that are given.
        make = hydra.utils.instantiate({**_with_settings(node, place), "_partial_": True}, _convert_="object")
        made = partial(make, **given) if node.get("_partial_") else make(**given)
    except WeakpanError as error:
        raise (error if error.key is None else error.below(place)) from error.__cause__
    except InstantiationException as error:
        inner = str(error).rpartition("full_key: ")[2].strip() if "full_key: " in str(error) else ""
        at = ".".join(filter(None, (place, inner)))
        cause: BaseException | None = error.__cause__
        if isinstance(cause, WeakpanError):
            raise (cause if cause.key is None else cause.below(at)) from error
        raise ConfigError(f"cannot be built: {_cause_of(error)}", key=at, found=node[TARGET]) from error
    except Exception as error:  # whatever a class of somebody else raises
        raise ConfigError(f"cannot be built: {_cause_of(error)}", key=place, found=node[TARGET]) from error
    if not isinstance(made, expected):
        raise ConfigError(
            f"makes a {type(made).__name__}, expected a {expected.__name__}", key=place, found=node[TARGET]
        )
    return made


def _with_settings(node: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A checked node in which the plain arguments of dataclasses have the types of their fields, settings included."""
    target = locate(str(node[TARGET]), f"{place}.{TARGET}")
    hints = _hints(target) if is_dataclass(target) and isinstance(target, type) else {}
    typed: dict[str, Any] = {}
    for name, value in node.items():
        if is_node(value):
            typed[name] = _with_settings(value, f"{place}.{name}")
        elif name in hints and not _holds_nodes(value):
            typed[name] = _typed(name, hints[name], value, place)
        else:
            typed[name] = value
    return typed


def _cause_of(error: BaseException) -> str:
    deepest = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    return one_line(f"{type(deepest).__name__}: {deepest}")[:_MOST_SAID]
