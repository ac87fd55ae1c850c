"""Regenerates the pseudo ground truth at the end of a round."""

from __future__ import annotations

from functools import partial

import pytorch_lightning as pl

from weakpan.callbacks.background import Background, gains_time
from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.annotations import WeakAnnotations
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import make_labels
from weakpan.labels.settings import LabelSettings
from weakpan.labels.store import LabelStore
from weakpan.parallel.sharing import naming_image
from weakpan.storage.map_store import MapStore
from weakpan.training.segmenter_module import PendingPrediction, Prediction, SegmenterModule


class WriteLabels(EachPrediction):
    """Cleans each prediction on a training image into labels for the next round and writes them.

    The loop adds it to the prediction stage at the end of a round; its settings are the group `labels`:

        labels: {score_threshold: 0.99, fill_threshold: 0.5, fill_over_things: false, mask_rounds: 5}

    Where a core or an accelerator is free for it, a thread chooses classes, cleans and writes while the network sees
    the next images; scores may then differ in their last bits from those that several threads of torch compute. All is
    written when `Trainer.predict` returns; an error of the thread is raised by it. Other callbacks see a
    `PendingPrediction`, which is this one's to finish.

    Args:
        store: of the next round's labels; every rank writes its own images, the loop seals it.
        masks: masks in boxes.
        annotations: boxes, tags and class table.
        settings: of the cleaning rules.
        round_index: of the labels that are made, at least 1.
    """

    def __init__(
        self,
        store: LabelStore,
        masks: MapStore,
        annotations: WeakAnnotations,
        settings: LabelSettings,
        round_index: int,
    ) -> None:
        super().__init__()
        self.store, self.masks, self.annotations = store, masks, annotations
        self.settings, self.round_index = settings, round_index
        self._background: Background | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Called by Lightning."""
        super().setup(trainer, pl_module, stage)
        assert isinstance(pl_module, SegmenterModule)
        pl_module.deferred = True
        self._background = Background() if gains_time(trainer) else None

    def take(self, prediction: Prediction | PendingPrediction) -> None:
        """Clean and write one image, or have it done."""
        if self._background is None:
            self._write(prediction)
        else:
            self._background.submit(partial(self._write, prediction))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Called by Lightning; waits until the labels of all images are written."""
        assert isinstance(pl_module, SegmenterModule)
        pl_module.deferred = False
        if self._background is not None:
            self._background.finish()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Called by Lightning."""
        if self._background is not None:
            self._background.drop()

    def _write(self, pending: Prediction | PendingPrediction) -> None:
        image_id = pending.image_id
        with naming_image(image_id):
            # A module of one's own may have finished it.
            prediction = pending.finish() if isinstance(pending, PendingPrediction) else pending
            needs_masks = "mask_merge" in self.settings.steps_in_round(self.round_index)
            inp = LabelInput(
                prediction=prediction.semantic,
                score=prediction.score,
                masks=self.masks.read(image_id) if needs_masks else None,
                annotation=self.annotations.images[image_id],
            )
            labels = make_labels(inp, self.settings, self.annotations.catalog, self.annotations.grid, self.round_index)
            self.store.write(image_id, labels)
