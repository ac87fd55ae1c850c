"""What is wrong with a command line, in the words of all other errors: the key, what was found, what to do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import CompactHydraException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from weakpan.errors import ConfigError, exit_with, one_line

_FULL_ERROR = "HYDRA_FULL_ERROR"
_OURS = "WEAKPAN_SAYS_HYDRA_ERRORS"
"""Set beside it where users did not ask for it: ranks and launched jobs inherit both and must tell the cases apart."""

_NO_KEY = re.compile(r"[+~]*(@[^=]*)?=")
_GROUP_VALUE = "Config group override"
_SEARCHED = re.compile(r"provider=(?:main|command-line), path=file://(.+)")
_MOST_LISTED = 12


def run_command(main: Callable[[], object]) -> None:
    """Call what `hydra.main` made, and say what is wrong with the command line as all that users can mend is said.

    By itself Hydra says it in its own words and exits with 1. With HYDRA_FULL_ERROR=1 it hands the error on, and those
    who set that see the traceback here, too.
    """
    keyless = next((argument for argument in sys.argv[1:] if _NO_KEY.match(argument)), None)
    if keyless is not None:
        exit_with(ConfigError(f"'{keyless}': no key before the equals sign; give KEY=VALUE"))
    if os.environ.get(_FULL_ERROR) == "1" and _OURS not in os.environ:
        main()
        return
    os.environ.update({_FULL_ERROR: "1", _OURS: "1"})
    try:
        main()
    except (CompactHydraException, OmegaConfBaseException) as error:
        exit_with(ConfigError(describe(error)))
    except ValueError as error:
        # As Hydra refuses, without its key, a number or null for a group.
        if not str(error).startswith(_GROUP_VALUE):
            raise
        exit_with(ConfigError(f"{one_line(str(error))}; give the name of one of its options, as in trainer=cpu"))
    finally:
        os.environ.pop(_FULL_ERROR, None)
        os.environ.pop(_OURS, None)


def describe(error: HydraException | OmegaConfBaseException) -> str:
    """An error of composing a configuration: the key, what was found, what there is, what to do."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        return _unknown_option(error, error.missing_cfg_file)
    if isinstance(error, OverrideParseException):
        what = _first_line(str(error.message).removeprefix(f"Error parsing override '{error.override}'"))
        return (
            f"'{error.override}': not readable as KEY=VALUE ({what}); put values with blanks, commas, brackets or "
            "equals signs in quotes, as in \"KEY='a b'\""
        )
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        return _unknown_key(cause)
    if isinstance(cause, ValidationError) and cause.full_key:
        return f"{cause.full_key}={cause.value}: {_first_line(str(cause.msg))}"
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"{cause.full_key}: {_first_line(str(cause.msg))}"
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


def _unknown_option(error: MissingConfigException, missing: str) -> str:
    group, _, option = missing.rpartition("/")
    options = list(error.options or _options_on_disk(error, group))
    near = get_close_matches(option, options, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    listed = f"{hint or ';'} there are {', '.join(options)}" if options else ""
    remedy = "; `uv sync --group sweeps` installs launchers and sweepers" if group.startswith("hydra/") else ""
    if group:
        return f"{group}={option}: no such option{listed}{remedy}"
    key = "--config-name=" if str(error).startswith("Cannot find primary config") else ""
    return f"{key}{missing}: no such configuration{listed}"


def _options_on_disk(error: MissingConfigException, group: str) -> list[str]:
    """Names in the folders that Hydra searched, where it does not list them itself."""
    folders = [Path(found) / group for found in _SEARCHED.findall(str(error))]
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0]
