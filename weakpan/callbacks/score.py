"""Scores predictions against ground truth, every image once however many ranks there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakpan.basics.catalog import Catalog
from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.ground_truth import GroundTruth
from weakpan.evaluation.scorer import PanopticScorer
from weakpan.evaluation.tag_scores import TagScores
from weakpan.parallel.ranks import gather_from_all_ranks
from weakpan.training.prediction import Prediction


class ScorePredictions(EachPrediction):
    """Collects scores while `SegmenterModule` predicts a split with ground truth.

    `scorer` holds those of all ranks after `merge_ranks`.

    The loop adds it to the scoring stage of every round when there is ground truth of `data.val_split`; set
    `data.val_split: null` to train without.

    Args:
        truth: of the images that are predicted.
    """

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__()
        self.truth = truth
        self.scorer = PanopticScorer(truth.catalog)

    def take(self, prediction: Prediction) -> None:
        """Score one image."""
        assert prediction.panoptic is not None
        truth = self.truth.panoptic(prediction.image_id)
        self.scorer.add(prediction.image_id, prediction.panoptic, truth, prediction.semantic)

    def merge_ranks(self) -> None:
        """Bring the scores of all ranks together; every rank calls this after the prediction."""
        merged = PanopticScorer(self.truth.catalog)
        for scorer in gather_from_all_ranks(self.scorer):
            merged.merge(scorer)
        self.scorer = merged


class ScoreTags(EachPrediction):
    """Collects logits and tags while `ClassifierModule` predicts a split with ground truth.

    `scores` holds those of all ranks after `merge_ranks`. The loop adds it after the training of the classifier when
    there are ground truth of `data.val_split`.

    Args:
        catalog: class table.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.catalog = catalog
        self.scores = TagScores(catalog)

    def take(self, prediction: Mapping[str, Any]) -> None:
        """Keep the logits and tags of one image's crops."""
        self.scores.add(prediction["logits"].float().cpu().numpy(), prediction["tags"].cpu().numpy())

    def merge_ranks(self) -> None:
        """Bring the scores of all ranks together; every rank calls this after the prediction."""
        merged = TagScores(self.catalog)
        for scores in gather_from_all_ranks(self.scores):
            merged.merge(scores)
        self.scores = merged
