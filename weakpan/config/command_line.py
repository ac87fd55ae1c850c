"""The command line: keys without plus signs, and one line for what is wrong with it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from hydra.errors import CompactHydraException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from weakpan.basics.errors import ConfigError, WeakpanError, exit_with, one_line
from weakpan.basics.settings import nearest

_FULL_ERROR = "HYDRA_FULL_ERROR"
_OURS = "WEAKPAN_WORDS_HYDRA_ERRORS"
"""Set beside it where users did not ask for it: ranks and launched jobs inherit both and must tell the cases apart."""

_KEY = re.compile(r"(?!hydra\.)[A-Za-z_]\w*(\.[\w-]+)+=")
_OFF = re.compile(r"(labels\.rules|(segmenter|classifier)\.losses|callbacks|logger)\.[\w-]+=null")
_THERE = re.compile(r"An item is already at '([\w.]+)'")
_NO_KEY = re.compile(r"[+~]*(@[^=]*)?=")
_NO_SUCH_KEY = "no such key"
_HELP = "--cfg job prints all keys"


def run_command(main: Callable[[], object]) -> None:
    """Call what `hydra.main` made, and tell in one line what is wrong with the command line.

    `GROUP.KEY=VALUE` may name a key that no YAML file holds (`trainer.profiler=simple`), as people expect who know the
    class behind it; whether there is such a key is checked when the configuration has been composed. By itself Hydra
    asks for `++` in front of it, tells errors in its own words and exits with 1. With HYDRA_FULL_ERROR=1 it hands the
    error on, and those who set that see the traceback here, too.
    """
    keyless = next((argument for argument in sys.argv[1:] if _NO_KEY.match(argument)), None)
    if keyless is not None:
        exit_with(ConfigError(f"'{keyless}': no key before the equals sign", remedy="give KEY=VALUE"))
    sys.argv[1:] = to_overrides(sys.argv[1:])
    if os.environ.get(_FULL_ERROR) == "1" and _OURS not in os.environ:
        main()
        return
    os.environ.update({_FULL_ERROR: "1", _OURS: "1"})
    try:
        main()
    except (CompactHydraException, OmegaConfBaseException) as error:
        exit_with(config_error(error))
    except ValueError as error:
        # As Hydra refuses, without its key, a number or null for a group.
        if not str(error).startswith("Config group override"):
            raise
        exit_with(ConfigError(one_line(str(error)), remedy="give the name of one of its options, as in trainer=cpu"))
    finally:
        os.environ.pop(_FULL_ERROR, None)
        os.environ.pop(_OURS, None)


def to_overrides(arguments: Iterable[str]) -> list[str]:
    """Arguments as they are typed, in the form that Hydra takes: keys that no YAML file holds may be given.

    But for what switches something off by its name, which must be there.
    """
    return [
        f"++{argument}" if _KEY.match(argument) and not _OFF.fullmatch(argument) else argument for argument in arguments
    ]


def typed_command() -> str:
    """The command that was given, as it was typed, for the record of a run."""
    return shlex.join([Path(sys.argv[0]).name, *(argument.removeprefix("++") for argument in sys.argv[1:])])


def config_error(error: HydraException | OmegaConfBaseException) -> ConfigError:
    """An error of composing a configuration, with its key, what was found, what there is and what to do."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        return _no_option(error, error.missing_cfg_file)
    if isinstance(error, OverrideParseException):
        what = first_line(str(error.message).removeprefix(f"Error parsing override '{error.override}'"))
        remedy = "put values with blanks, commas, brackets or equals signs in quotes, as in \"KEY='a b'\""
        return ConfigError(f"'{_typed(error.override)}': not readable as KEY=VALUE ({what})", remedy=remedy)
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        parent = cause.parent_node
        known = [str(k) for k in parent if k != "hydra"] if isinstance(parent, DictConfig) else []
        return ConfigError(f"{_NO_SUCH_KEY}; {nearest(str(cause.key), known)}", key=str(cause.full_key), remedy=_HELP)
    if isinstance(cause, ValidationError) and cause.full_key:
        return ConfigError(first_line(str(cause.msg)), key=str(cause.full_key), found=cause.value)
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return ConfigError(first_line(str(cause.msg)), key=str(cause.full_key))
    there = _THERE.search(one_line(str(error)))
    if there is not None:
        return ConfigError("is there already", key=there[1], remedy="leave out the + in front of it")
    return ConfigError(_typed(one_line(str(error))))


def _no_option(error: MissingConfigException, missing: str) -> ConfigError:
    group, _, option = missing.rpartition("/")
    if not group:
        return ConfigError(f"--config-name={missing}: no such configuration")
    options = list(error.options or _options_on_disk(error, group))
    told, listed = nearest(option, options), f"there are {', '.join(options)}"
    listed = "" if not options else f"; {told}" if told == listed else f"; {told} ({listed})"
    remedy = "`uv sync --group sweeps` installs launchers and sweepers" if group.startswith("hydra/") else None
    return ConfigError(f"no such option{listed}", key=group, found=option, remedy=remedy)


def _options_on_disk(error: MissingConfigException, group: str) -> list[str]:
    """Names in the folders that Hydra searched, where it does not list them itself."""
    folders = [Path(found) / group for found in re.findall(r"provider=[\w-]+, path=file://(.+)", str(error))]
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def own_cause(error: BaseException) -> WeakpanError | None:
    """Error of settings that check themselves, where there is one: they raise inside OmegaConf, which may wrap it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, WeakpanError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _typed(message: str) -> str:
    """A message that quotes the command line, as it was typed."""
    return message.replace("++", "")


def first_line(message: str) -> str:
    """First line of what a library says, without what it adds."""
    return message.strip().partition("\n")[0]
