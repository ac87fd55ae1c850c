"""The model that predict.py was asked for: which round of which run, its configuration and its weights."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, RunError
from weakpan.config.predict import PredictConfig
from weakpan.config.train import TrainConfig
from weakpan.stages.build import build_segmenter, load_weights
from weakpan.stages.earlier_run import load_run_catalog, locate, read_run_config, run_started_in
from weakpan.storage.checkpoints import refuse_damaged
from weakpan.storage.layout import RunLayout
from weakpan.training.segmenter_module import SegmenterModule

_OTHER_WEIGHTS = (
    "fetch it from a backup, predict with another round (round=N), or delete the folder of this round and start "
    "train.py on the run again, which makes it anew"
)


@dataclass(frozen=True)
class TrainedRound:
    """A round of a run, ready to be loaded.

    Attributes:
        layout: of the run folder.
        index: of the round, counted from 0.
        checkpoint: weights of the segmenter.
        config: of the run.
        catalog: class table of the run.
        started_in: folder that train.py was started in, which relative paths of `config` refer to.
    """

    layout: RunLayout
    index: int
    checkpoint: Path
    config: TrainConfig
    catalog: Catalog
    started_in: Path

    def locate(self, path: str) -> Path:
        """A path of the run's configuration, from where train.py was started or, if it is not there, from here."""
        return locate(path, self.started_in)


def find_round(config: PredictConfig) -> TrainedRound:
    """Find the round that `run` and `round`, or `checkpoint`, speak of.

    Raises:
        ConfigError: a value of the run's configuration that is refused.
        DataError: no class table.
        RunError: no run folder of train.py, no finished round, or a checkpoint of something else.
    """
    layout, index, checkpoint = _named_by_checkpoint(config) if config.checkpoint else _named_by_run(config)
    if not layout.config.is_file():
        raise RunError(
            f"{layout.config}: no such file, so {layout.folder} is no run folder of train.py; give run=FOLDER, or "
            "the checkpoint in its place within such a folder"
        )
    trained = read_run_config(layout)
    started_in = run_started_in(layout)
    catalog = load_run_catalog(trained, started_in)
    _check_content(checkpoint, catalog)
    return TrainedRound(layout, index, checkpoint, trained, catalog, started_in)


def load_segmenter(trained: TrainedRound) -> SegmenterModule:
    """The segmenter with its trained weights; raises DataError for a checkpoint of another network."""
    module = build_segmenter(trained.config.segmenter, trained.catalog, with_init=False)
    load_weights(module, trained.checkpoint)
    return module


def _named_by_run(config: PredictConfig) -> tuple[RunLayout, int, Path]:
    folder = Path(str(config.run))
    if not folder.is_dir():
        raise RunError(f"run={folder}: no such folder; give the run folder of train.py")
    layout = RunLayout(folder)
    finished = layout.rounds()
    if not finished and layout.config.is_file():
        raise RunError(f"run={folder}: no round of it is finished; start train.py with the same run=... to go on")
    index = config.round if config.round is not None else finished[-1] if finished else 0
    if finished and index not in finished:
        raise RunError(f"round={index}: not finished in {folder}; finished are {', '.join(map(str, finished))}")
    return layout, index, layout.round(index).checkpoint


def _named_by_checkpoint(config: PredictConfig) -> tuple[RunLayout, int, Path]:
    given = Path(str(config.checkpoint))
    if not given.is_file():
        raise RunError(f"checkpoint={given}: no such file; give the last.ckpt of a round")
    path = given.resolve()
    match = re.fullmatch(r"round_(\d+)", path.parent.name)
    if match is None or path != RunLayout(path.parents[1]).round(int(match[1])).checkpoint:
        raise RunError(
            f"checkpoint={given}: not in its place; expected RUN_FOLDER/round_NN/last.ckpt, because the run's "
            "configuration is needed too"
        )
    return RunLayout(path.parents[1]), int(match[1]), path


def _check_content(checkpoint: Path, catalog: Catalog) -> None:
    """Refuse a damaged checkpoint, one of another network, or of a class table that was changed since."""
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint}: no such checkpoint; {_OTHER_WEIGHTS}")
    refuse_damaged(checkpoint, _OTHER_WEIGHTS)
    try:
        about: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["weakpan"]
        kind, classes = about["kind"], about.get("classes")
    except Exception as error:  # torch raises half a dozen types for what is not its own
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise DataError(
            f"{checkpoint}: whole, but not a checkpoint of this version of weakpan ({what}); expected the last.ckpt of "
            "a round"
        ) from error
    if kind != "segmenter":
        raise RunError(f"{checkpoint}: holds a {kind}; expected a segmenter, the last.ckpt of a round")
    if classes != [asdict(c) for c in catalog.classes]:
        raise RunError(
            f"{checkpoint}: trained with other classes than class table {catalog.name!r} has now; restore the table "
            "that the run was trained with (data.classes)"
        )
