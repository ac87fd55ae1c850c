"""Folders of a sweep: that of each job, and the one that holds what is of all of them."""

from __future__ import annotations

import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

_OF_A_JOB = re.compile(r"\$\{(?!oc\.env:|oc\.decode:|now:)[^{}]*\}")
"""Interpolations of settings, and of Hydra's, which differ between jobs; variables and dates do not."""

_ITS_PLACE = "sweep"


def register_resolvers() -> None:
    """Make `${sweep_folder:KEY}` and `${sweep_name:}` known to configurations.

    `${sweep_folder:KEY}` is, for a job of a sweep, the folder that KEY names. For the sweep itself, which has no
    settings of any job and would take the default ones, it is that folder with `sweep` in the place of what differs
    between jobs: `runs/t_sweep` where the jobs have `runs/t_${seed}`. `${sweep_name:}` is the name of the sweep's own
    folder, null outside a sweep.
    """
    OmegaConf.register_new_resolver("sweep_folder", _sweep_folder, replace=True)
    OmegaConf.register_new_resolver("sweep_name", _sweep_name, replace=True)


def _sweep_folder(key: str, *, _root_: DictConfig) -> str:
    is_job = not OmegaConf.is_missing(_root_.hydra.job, "num")
    return str(_root_[key]) if is_job else _own_folder(_root_, key)


def _own_folder(config: DictConfig, key: str) -> str:
    plain = OmegaConf.to_container(config, resolve=False)
    if OmegaConf.is_missing(config, key) or not isinstance(plain, dict):
        return str(config[key])
    folder, inner = "", str(plain[key])
    while folder != inner:  # the innermost first
        folder, inner = inner, _OF_A_JOB.sub(_ITS_PLACE, inner)
    # Below the configuration itself, which remembers what time it is for all jobs.
    own = OmegaConf.create({"folder": folder})
    own._set_parent(config)
    return str(own.folder)


def _sweep_name(*, _root_: DictConfig) -> str | None:
    if not HydraConfig.initialized() or HydraConfig.get().mode is not RunMode.MULTIRUN:
        return None
    of_job = HydraConfig.get().sweep.dir
    # It may have been given as hydra.sweep.dir=FOLDER.
    return Path(_own_folder(_root_, "run") if of_job == _root_.run else of_job).name


def folder_of_job(run: str) -> Path:
    """The run folder: the one that is named or, of a job of a sweep, the one that Hydra gave it."""
    in_sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    return Path(HydraConfig.get().runtime.output_dir) if in_sweep else Path(run)
