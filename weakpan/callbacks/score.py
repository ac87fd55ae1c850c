"""Scores predictions against ground truth, every image once however many ranks there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from weakpan.basics.catalog import Catalog
from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.candidates import whole_image_sets
from weakpan.data.ground_truth import GroundTruth
from weakpan.evaluation.scorer import PanopticScorer
from weakpan.evaluation.tag_scores import TagScores
from weakpan.evaluation.weak_scores import WeakScorer
from weakpan.parallel.ranks import gather_from_all_ranks
from weakpan.training.prediction import Prediction

Scorer = TypeVar("Scorer", PanopticScorer, WeakScorer, TagScores)


class EachScored(EachPrediction, Generic[Scorer]):
    """Scores every prediction.

    Attributes:
        scorer: of the predictions of this rank; after `merge_ranks`, of all ranks.

    Args:
        empty: makes a scorer that has seen nothing.
    """

    def __init__(self, empty: Callable[[], Scorer]) -> None:
        super().__init__()
        self._empty: Callable[[], Scorer] = empty
        self.scorer: Scorer = empty()

    def merge_ranks(self) -> None:
        """Bring the scores of all ranks together; every rank calls this after the prediction."""
        merged = self._empty()
        for scorer in gather_from_all_ranks(self.scorer):
            merged.merge(scorer)
        self.scorer = merged


class ScorePredictions(EachScored[PanopticScorer]):
    """Collects scores while `SegmenterModule` predicts a split with ground truth.

    The loop adds it to the scoring stage of every round when there is ground truth of `data.val_split`; set
    `data.val_split: null` to train without.
    """

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(partial(PanopticScorer, truth.catalog))
        self.truth = truth

    def take(self, prediction: Prediction) -> None:
        """Score one image."""
        assert prediction.panoptic is not None
        truth = self.truth.panoptic(prediction.image_id)
        self.scorer.add(prediction.image_id, prediction.panoptic, truth, prediction.semantic)


_POOL = 4
"""Pixels of a side over which probabilities are averaged before the greatest one of a crop is taken: one pixel alone
says little."""


class ScoreWithoutMasks(EachScored[WeakScorer]):
    """Collects what boxes and tags say of predictions, see `weakpan.evaluation.weak_scores`."""

    def __init__(self, annotations: WeakAnnotations) -> None:
        super().__init__(partial(WeakScorer, annotations.catalog))
        self.annotations = annotations

    @torch.inference_mode()
    def take(self, prediction: Prediction) -> None:
        """Score one image."""
        weak, panoptic = self.annotations, prediction.panoptic
        assert panoptic is not None
        annotation = weak.images[prediction.image_id]
        crops = weak.grid.crops(annotation.height, annotation.width)
        probabilities = prediction.probabilities()
        pooled = F.avg_pool2d(probabilities[None], _POOL, ceil_mode=True)[0]
        peaks = [
            pooled[:, c.top // _POOL : -(-c.bottom // _POOL), c.left // _POOL : -(-c.right // _POOL)].amax(dim=(1, 2))
            for c in crops
        ]
        has = np.zeros((len(crops), weak.catalog.num_classes), bool)
        for row, classes in zip(has, weak.grid.tags(prediction.semantic), strict=True):
            row[sorted(classes)] = True
        loss = self._loss(annotation, probabilities)
        self.scorer.add(annotation, torch.stack(peaks).float().cpu().numpy(), has, loss, panoptic)

    def _loss(self, annotation: ImageAnnotation, probabilities: torch.Tensor) -> tuple[float, int]:
        """Sum over the pixels that have candidates, and their number."""
        sets = whole_image_sets(annotation, self.annotations.grid, self.annotations.catalog)
        rows = torch.from_numpy(sets.index).to(probabilities.device).long()
        table = torch.from_numpy(sets.table).to(probabilities.device).float()
        kept = (F.embedding(rows, table).permute(2, 0, 1) * probabilities).sum(dim=0)
        known = rows > 0
        return float(-kept[known].clamp_min(1e-6).log().sum()), int(known.sum())


class ScoreTags(EachScored[TagScores]):
    """Collects logits and tags while `ClassifierModule` predicts a split with ground truth.

    The loop adds it after the training of the classifier when there is ground truth of `data.val_split`.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(partial(TagScores, catalog))

    def take(self, prediction: Mapping[str, Any]) -> None:
        """Keep the logits and tags of one image's crops."""
        self.scorer.add(prediction["logits"].float().cpu().numpy(), prediction["tags"].cpu().numpy())
