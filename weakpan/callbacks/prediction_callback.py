"""What all callbacks that do something with every single prediction share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter


class EachPrediction(BasePredictionWriter, ABC):
    """Hands every prediction of `Trainer.predict` to `take`, one image at a time, on the rank that made it."""

    def __init__(self) -> None:
        super().__init__(write_interval="batch")

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        prediction: Any,
        *_: Any,
    ) -> None:
        """Called by Lightning."""
        self.take(prediction)

    @abstractmethod
    def take(self, prediction: Any) -> None:
        """Do something with what `predict_step` returned for one image."""


class ForEachPrediction(EachPrediction):
    """Hands every prediction, what `predict_step` returned for an image, to a function, on the rank that made it."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        super().__init__()
        self._take = take

    def take(self, prediction: Any) -> None:
        """Call the function."""
        self._take(prediction)
