"""What is wrong with a command line, in the words of all other errors: the key, what was found, what to do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from weakpan.basics.errors import ConfigError, exit_with, one_line
from weakpan.config.scripts import Script

_FULL_ERROR = "HYDRA_FULL_ERROR"
_OURS = "WEAKPAN_SAYS_HYDRA_ERRORS"
"""Set beside it where users did not ask for it: ranks and launched jobs inherit both and must tell the cases apart."""

_NO_KEY = re.compile(r"[+~]*(@[^=]*)?=")
_GROUP_VALUE = "Config group override"
_NO_GROUP = re.compile(
    r"(In '.+': )?Could not (?:override|delete) '([^'=]+)(?:=[^']*)?'\.?\s*(?:Did you mean to override (.+)\?)?"
)
_NOT_OURS = re.compile(r"In '([^']+)/([^'/]+)': ConfigKeyError raised while composing config:\s*Key '(\w+)' not in")
_MISSING = re.compile(r"Missing mandatory value: (\S+)")
_NUMBER_OR_NULL = re.compile(r"(\w+)=(null|[\d.]+)")
_SEARCHED = re.compile(r"provider=(?:main|command-line), path=file://(.+)")
_MOST_LISTED = 12


def run_command(main: Callable[[], object], script: Script) -> None:
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
        exit_with(ConfigError(describe(error, script)))
    except ValueError as error:
        # As Hydra refuses, without its key, a number or null for a group.
        if not str(error).startswith(_GROUP_VALUE):
            raise
        exit_with(ConfigError(_no_name(str(error), script)))
    finally:
        os.environ.pop(_FULL_ERROR, None)
        os.environ.pop(_OURS, None)


def describe(error: HydraException | OmegaConfBaseException, script: Script | None = None) -> str:
    """An error of composing a configuration: the key, what was found, what there is, what to do.

    Args:
        error: of Hydra or OmegaConf.
        script: whose configuration it is; where it is known, what belongs to another script is told, too.
    """
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
        return _unknown_key(cause, script)
    if isinstance(cause, ValidationError) and cause.full_key:
        return f"{cause.full_key}={cause.value}: {_first_line(str(cause.msg))}"
    if (missing := _MISSING.search(str(cause))) is not None:
        return f"no value for {missing[1]}; give one as KEY=VALUE on the command line"
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"{cause.full_key}: {_first_line(str(cause.msg))}"
    return (_unknown_group(str(error), script) if script is not None else None) or one_line(str(error))


def _unknown_group(message: str, script: Script) -> str | None:
    """Of an option of a group that the script does not have; None for any other message."""
    if (found := _NOT_OURS.match(message)) is not None and not script.knows(found[3]):
        where, group, meant, given = "", found[1], None, f"+{found[1]}={found[2]}"
    elif (found := _NO_GROUP.match(message)) is not None:
        where, group, meant = found[1] or "", found[2], found[3]
        given = next((a for a in sys.argv[1:] if a.lstrip("+~").partition("=")[0] == group), group)
    else:
        return None
    said = f"{where}{given}: {script.name} has no group {group}"
    if other := script.elsewhere(group):
        said += f", which belongs to {other}"
    if meant:
        said += f"; did you mean {meant}{given[given.find(group) + len(group) :]}?"
    elif names := _elsewhere(_schema_keys(script), group):
        said += f"; here such keys are {' and '.join(f'{name}.KEY=VALUE' for name in names)};"
    else:
        said += ";"
    return f"{said} {script.name} has {', '.join(script.groups)}"


def _schema_keys(script: Script) -> Mapping[str, object]:
    store = ConfigStore.instance()
    name = f"{script.path.stem}_schema.yaml"
    tree = OmegaConf.to_container(store.load(name).node) if name in store.list("") else {}
    return {str(key): value for key, value in tree.items()} if isinstance(tree, dict) else {}


def _no_name(message: str, script: Script) -> str:
    """Of a number or null where a group takes a name; Hydra does not say which group."""
    for argument in sys.argv[1:]:
        found = _NUMBER_OR_NULL.fullmatch(argument)
        if found is not None and found[1] in script.groups:
            options = ", ".join(script.options(found[1]))
            return f"{argument}: a group takes the name of one of its options; there are {options}"
        if found is not None and (script.folder / found[1]).is_dir():
            other = script.elsewhere(found[1])
            belongs = f", it belongs to {other}" if other else ""
            return f"{found[1]}: no such key{belongs}; --cfg job prints all keys of {script.name}"
    return f"{one_line(message)}; give the name of one of its options, as in trainer=cpu"


def _unknown_key(error: OmegaConfBaseException, script: Script | None) -> str:
    full_key, key = str(error.full_key), str(error.key)
    group = full_key.rpartition(".")[0]
    parent = error.parent_node
    tree = OmegaConf.to_container(parent) if isinstance(parent, DictConfig) else None
    known = {str(name): value for name, value in tree.items() if name != "hydra"} if isinstance(tree, dict) else {}
    other = script.elsewhere(full_key) if script is not None else ""
    said = f"{full_key}: no such key" + (f", it belongs to {other}" if other else "")
    # What merely sounds like it is not meant where the key is one of another script.
    alike = [name for name in get_close_matches(key, known) if not other or name.startswith(key)]
    names = [*alike, *_elsewhere(known, key)]
    near = [f"{group}.{name}" if group else name for name in names]
    if near:
        return f"{said}; did you mean {' or '.join(near)}? --cfg job prints all keys"
    listed = ", ".join(list(known)[:_MOST_LISTED]) + (", ..." if len(known) > _MOST_LISTED else "")
    where = f"{group} has" if group else "there are"
    return f"{said}; {where} {listed or 'none'}; --cfg job prints all keys"


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
