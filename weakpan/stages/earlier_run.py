"""What an earlier run of train.py was told: its configuration, its class table, and where it was started."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from weakpan.basics.catalog import BUILT_IN, Catalog
from weakpan.basics.errors import ConfigError, RunError
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.data.class_table import load_catalog
from weakpan.storage.layout import RunLayout


def read_run_config(layout: RunLayout) -> TrainConfig:
    """The configuration of a run.

    Raises:
        ConfigError: a value that is refused.
        RunError: no configuration of train.py in the folder, or one of another version.
    """
    path = layout.config
    if not path.is_file():
        raise RunError(f"{path}: no such file, so {layout.folder} is no run folder of train.py")
    try:
        composed = OmegaConf.load(path)
        if not isinstance(composed, DictConfig):
            raise RunError(f"{path}: not a configuration of train.py")
        # The run may have been named by the clock of its own process.
        composed["run"] = str(layout.folder)
        return to_train_config(composed)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}; a run of another version of weakpan needs that version") from error
    except (OSError, ValueError, OmegaConfBaseException) as error:
        first = str(error).strip().splitlines()[0]
        raise RunError(f"{path}: not a configuration of this version of train.py ({first})") from error


def run_started_in(layout: RunLayout) -> Path:
    """The folder that a run was started in, as Hydra recorded it; the present folder if the record is gone."""
    try:
        recorded = OmegaConf.select(OmegaConf.load(layout.hydra), "hydra.runtime.cwd")
    except (OSError, OmegaConfBaseException):
        recorded = None
    return Path(recorded) if isinstance(recorded, str) else Path()


def load_run_catalog(config: TrainConfig, started_in: Path) -> Catalog:
    """The class table of a run; raises DataError if its file is gone or damaged."""
    classes = config.data.classes
    return load_catalog(classes if classes in BUILT_IN else str(locate(classes, started_in)))


def locate(path: str, started_in: Path) -> Path:
    """A path of a run's configuration, from where the run was started or, if it is not there, from here."""
    there = started_in / path
    return there if there.exists() else Path(path)
