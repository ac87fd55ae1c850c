"""Regenerates the pseudo ground truth at the end of a round."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch

from weakpan.basics.arrays import SemanticMap
from weakpan.callbacks.background import Background, gains_time
from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.annotations import WeakAnnotations
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import LabelRules, PseudoLabels, make_labels, refine_probabilities
from weakpan.labels.rule import CANDIDATES, MASKS, PROBABILITIES, SCORE, SEEDS, ProbabilityContext
from weakpan.labels.trail import AuditTrail
from weakpan.parallel.sharing import naming_image
from weakpan.training.prediction import Prediction, most_likely

Write = Callable[[LabelInput, PseudoLabels, AuditTrail | None], Any]
"""Takes input, labels and, where labels are audited, the record of how they came about."""


class WriteLabels(EachPrediction):
    """Makes labels for the next round of each prediction on a training image, by the rules of the group `labels`.

    Where a core or an accelerator is free for it, a thread applies the rules and writes while the network sees the next
    images; scores may then differ in their last bits from those that several threads of torch compute. All is written
    when `Trainer.predict` returns; an error of the thread is raised by it.

    Args:
        write: called for each image, by any thread; every rank writes its own images, the stage seals them.
        rules: between a prediction and a label.
        masks: reads the masks in boxes of an image, where a rule needs them.
        seeds: reads its seeds, likewise.
        annotations: boxes, tags and class table.
        round_index: of the labels that are made, at least 1.
        audit: keep the record of how each image's labels came about.
    """

    def __init__(
        self,
        write: Write,
        rules: LabelRules,
        masks: Callable[[str], SemanticMap],
        seeds: Callable[[str], SemanticMap],
        annotations: WeakAnnotations,
        round_index: int,
        audit: bool = False,
    ) -> None:
        super().__init__()
        self.write, self.rules, self.annotations = write, rules, annotations
        self.masks, self.seeds = masks, seeds
        self.round_index, self.audit = round_index, audit
        self._background: Background | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Called by Lightning."""
        super().setup(trainer, pl_module, stage)
        self._background = Background() if gains_time(trainer) else None

    def take(self, prediction: Prediction) -> None:
        """Make and write the labels of one image, or have it done."""
        if self._background is None:
            self._make(prediction)
        else:
            self._background.submit(partial(self._make, prediction))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Called by Lightning; waits until the labels of all images are written."""
        if self._background is not None:
            self._background.finish()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Called by Lightning."""
        if self._background is not None:
            self._background.drop()

    def _make(self, prediction: Prediction) -> None:
        with naming_image(prediction.image_id):
            self.write(*self._labels(prediction))

    # Whether gradients are kept is a matter of the thread.
    @torch.inference_mode()
    def _labels(self, prediction: Prediction) -> tuple[LabelInput, PseudoLabels, AuditTrail | None]:
        weak, needs, image_id = self.annotations, self.rules.needs(self.round_index), prediction.image_id
        annotation = weak.images[image_id]
        masks = self.masks(image_id) if MASKS in needs else None
        seeds = self.seeds(image_id) if SEEDS in needs else None
        probabilities = prediction.probabilities()
        trail = AuditTrail(most_likely(probabilities)[0], self.rules) if self.audit else None
        crops = weak.grid.crops(annotation.height, annotation.width)
        allowed = prediction.allowed() if CANDIDATES in needs else None
        context = ProbabilityContext(annotation, weak.catalog, crops, prediction.image, allowed, masks, seeds)
        probabilities = refine_probabilities(
            probabilities,
            self.rules,
            context,
            self.round_index,
            None if trail is None else lambda name, refined: trail(name, most_likely(refined)[0]),
        )
        semantic, score = most_likely(probabilities)
        inp = LabelInput(
            prediction=semantic,
            score=score if SCORE in needs else None,
            masks=masks,
            annotation=annotation,
            seeds=seeds,
            probabilities=probabilities.cpu().numpy() if PROBABILITIES in needs else None,
        )
        labels = make_labels(inp, self.rules, weak.catalog, weak.grid, self.round_index, trail)
        if trail is not None and self.rules.instances:
            trail.add_instances(labels.instances)
        return inp, labels, trail
