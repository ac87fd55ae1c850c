"""make_gt.py without a new interpreter, and as a script."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from functools import cache, reduce
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig, to_make_gt_config
from weakpan.job.make_gt import make_gt

ROOT = Path(__file__).parents[2]
GROUPS = ("data", "layout", "masks", "seeds", "labels", "trainer", "debug")


PATHS = ("run", "data.root", "data.train_list", "data.coco", "data.weak_annotations", "layout.inputs",
         "classifier_from", "labels_from", "heatmaps_from", "masks.path")  # fmt: skip
SOME_PATH = str(ROOT)


@cache
def _composed(options: tuple[str, ...]) -> DictConfig:
    register("make_gt_schema", MakeGtConfig)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("make_gt", list(options))


@cache
def _checked(overrides: tuple[str, ...]) -> MakeGtConfig:
    config = copy.deepcopy(_composed(tuple(o for o in overrides if o.partition("=")[0] in GROUPS)))
    for key, _, text in (override.partition("=") for override in overrides):
        if key not in GROUPS:
            OmegaConf.update(config, key, text if "{" in text else yaml.safe_load(text))
    return to_make_gt_config(config)


def settings(*overrides: str) -> MakeGtConfig:
    """Composed from conf/ and checked; a later value of a key counts.

    What differs in nothing but folders is composed once, because that takes longer than most stages here.
    """
    values = {key: text for key, _, text in (override.partition("=") for override in overrides)}
    paths = {key: text for key, text in values.items() if key in PATHS and text != "null"}
    config = copy.deepcopy(_checked(tuple(f"{k}={SOME_PATH if k in paths else v}" for k, v in values.items())))
    for key, text in paths.items():
        *groups, name = key.split(".")
        holder = reduce(getattr, groups, config)
        if isinstance(holder, dict):
            holder[name] = text
        else:
            setattr(holder, name, text)
    return config


def run(*overrides: str) -> list[tuple[str, str]]:
    """What could not be done; one process unless `workers` says otherwise."""
    return run_with(settings("workers=1", *overrides))


def run_with(config: MakeGtConfig) -> list[tuple[str, str]]:
    """The same for a configuration that was changed after it was checked."""
    try:
        return make_gt(config, "make_gt.py")
    except SystemExit as end:
        # Of a stage with a network, which is a job of its own; what ended it is told apart here.
        raise (end.__context__ or end) from None


def script(*overrides: str, folder: Path = ROOT) -> subprocess.Popen[str]:
    """Start make_gt.py as people do."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "make_gt.py"), *overrides],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip


def finished(process: subprocess.Popen[str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Wait for it."""
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def nothing_made(out: Path) -> bool:
    """Whether a folder holds no more than the lock and the log of jobs that failed."""
    return not [p for p in out.rglob("*") if p.is_file() and p.name != ".lock" and p.suffix != ".log"]


def results(out: Path) -> dict[str, str]:
    """Every file that counts, with a hash of its bytes; manifests, which count images, are left out.

    The header of a MATLAB file says when it was written, which does not count.
    """
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and not p.name.startswith(".") and p.suffix != ".log"]
    kept = [p for p in files if p.parent != out or p.name in ("weak_annotations.json", "panoptic.json")]
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()[128 * (p.suffix == ".mat") :]).hexdigest()
        for p in kept
    }


def times(out: Path) -> dict[str, int]:
    """When each of these was written."""
    return {name: (out / name).stat().st_mtime_ns for name in results(out)}
