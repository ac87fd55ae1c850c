"""The model that predict.py was asked for: a checkpoint, which holds everything that prediction needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, RunError
from weakpan.config.modules import segmenter_crops
from weakpan.config.predict import PredictConfig
from weakpan.config.trust import refuse_untrusted
from weakpan.stages.build import build_segmenter
from weakpan.storage.checkpoints import Checkpoint, read_checkpoint
from weakpan.storage.layout import RunLayout
from weakpan.training.segmenter_module import SegmenterModule

_OTHER_WEIGHTS = (
    "fetch it from a backup, predict with another round (round=N), or delete the folder of this round and start "
    "train.py on the run again, which makes it anew"
)


@dataclass(frozen=True)
class Trained:
    """A trained segmenter, ready to be loaded."""

    path: Path
    content: Checkpoint

    @property
    def catalog(self) -> Catalog:
        """Class table that it was trained with."""
        return self.content.catalog

    @property
    def name(self) -> str:
        """Round and file, for messages."""
        return f"round {self.content.figures.get('round', '?')} in {self.path}"

    @property
    def scale(self) -> float:
        """Working scale of images."""
        return segmenter_crops(self.content.module).scale

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the network and the decoder that make other predictions."""
        keys = ("network", "decoder", "flip_average")
        return {key: self.content.module.get(key) for key in keys} | {"scale": self.scale}

    def load(self) -> SegmenterModule:
        """The segmenter with its weights; raises DataError for weights of another network."""
        module = build_segmenter(self.content.without_initial_weights(), self.catalog)
        self.content.load_into(module, self.path)
        return module


def find_trained(config: PredictConfig) -> Trained:
    """Find the checkpoint that `run` and `round`, or `checkpoint`, speak of.

    It is data: what it names by `_target_` is built only if it is ours, or of a package that the user trusts.

    Raises:
        ConfigError: it names other code.
        DataError: it is missing or damaged.
        RunError: no run folder of train.py, or no finished round.
    """
    path = Path(config.checkpoint) if config.checkpoint else _named_by_run(config)
    if not path.is_file():
        if config.checkpoint is None:
            raise DataError("no such checkpoint", path=path, remedy=_OTHER_WEIGHTS)
        raise DataError("no such checkpoint", key="checkpoint", found=path, remedy="give the last.ckpt of a round")
    content = read_checkpoint(path, "segmenter", _OTHER_WEIGHTS)
    refuse_untrusted(content.module, f"segmenter of {path}", config.trust)
    return Trained(path, content)


def _named_by_run(config: PredictConfig) -> Path:
    folder = Path(str(config.run))
    if not folder.is_dir():
        raise RunError("no such folder", key="run", found=folder, remedy="give the run folder of train.py")
    layout = RunLayout(folder)
    finished = layout.rounds()
    if not finished:
        raise RunError(
            "no round of it is finished",
            key="run",
            found=folder,
            remedy="start train.py with the same run=... to go on",
        )
    index = finished[-1] if config.round is None else config.round
    if index not in finished:
        raise RunError(
            f"not finished in {folder}; finished are {', '.join(map(str, finished))}", key="round", found=index
        )
    return layout.round(index).checkpoint
