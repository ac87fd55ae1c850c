"""What is wrong with a command line, in the words of all other errors: the key, what was found, what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from hydra.errors import CompactHydraException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from weakpan.errors import ConfigError, exit_with, one_line

_FULL_ERROR = "HYDRA_FULL_ERROR"
_MOST_LISTED = 12


def run_command(main: Callable[[], object]) -> None:
    """Call what `hydra.main` made, and say what is wrong with the command line as all that users can mend is said.

    By itself Hydra says it in its own words and exits with 1. With HYDRA_FULL_ERROR=1 it hands the error on, and those
    who set that see the traceback here, too.
    """
    if os.environ.get(_FULL_ERROR) == "1":
        main()
        return
    os.environ[_FULL_ERROR] = "1"
    try:
        main()
    except (CompactHydraException, OmegaConfBaseException) as error:
        exit_with(ConfigError(describe(error)))
    finally:
        os.environ.pop(_FULL_ERROR, None)


def describe(error: HydraException | OmegaConfBaseException) -> str:
    """An error of composing a configuration: the key, what was found, what there is, what to do."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        return _unknown_option(error.missing_cfg_file, list(error.options or ()))
    if isinstance(error, OverrideParseException):
        what = str(error.message).removeprefix(f"Error parsing override '{error.override}'").strip().splitlines()[0]
        return (
            f"'{error.override}': not readable as KEY=VALUE ({what}); put values with blanks, commas, brackets or "
            "equals signs in quotes, as in \"KEY='a b'\""
        )
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        return _unknown_key(cause)
    if isinstance(cause, ValidationError) and cause.full_key:
        return f"{cause.full_key}={cause.value}: {_first_line(cause)}"
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"{cause.full_key}: {_first_line(cause)}"
    return one_line(str(error))


def _unknown_key(error: OmegaConfBaseException) -> str:
    full_key, key = str(error.full_key), str(error.key)
    group = full_key.rpartition(".")[0]
    parent = error.parent_node
    tree = OmegaConf.to_container(parent) if isinstance(parent, DictConfig) else None
    known = {str(name): value for name, value in tree.items() if name != "hydra"} if isinstance(tree, dict) else {}
    names = [*get_close_matches(key, known), *_elsewhere(known, key)]
    near = [f"{group}.{name}" if group else name for name in names]
    if near:
        return f"{full_key}: no such key; did you mean {' or '.join(near)}? --cfg job prints all keys"
    listed = ", ".join(list(known)[:_MOST_LISTED]) + (", ..." if len(known) > _MOST_LISTED else "")
    where = f"{group} has" if group else "there are"
    return f"{full_key}: no such key; {where} {listed or 'none'}; --cfg job prints all keys"


def _elsewhere(tree: Mapping[str, object], key: str) -> list[str]:
    """Where else a key occurs below a node: its full names there."""
    groups = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    found = [f"{name}.{key}" for name, value in groups.items() if key in value]
    return found + [f"{name}.{deeper}" for name, value in groups.items() for deeper in _elsewhere(value, key)]


def _unknown_option(missing: str, options: Sequence[str]) -> str:
    group, _, option = missing.rpartition("/")
    near = get_close_matches(option, options, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    remedy = "; `uv sync --group sweeps` installs launchers and sweepers" if group.startswith("hydra/") else ""
    return f"{group}={option}: no such option; {hint}there are {', '.join(options) or 'none'}{remedy}"


def _first_line(error: OmegaConfBaseException) -> str:
    return str(error.msg).strip().splitlines()[0]
