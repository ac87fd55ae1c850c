"""Scores predicted tags against real ones, every tile once however many ranks there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakpan.callbacks.each_prediction import EachPrediction
from weakpan.catalog import Catalog
from weakpan.evaluation.tag_scores import TagScores
from weakpan.ranks import gather_from_all_ranks


class ScoreTags(EachPrediction):
    """Collects logits and tags while `ClassifierModule` predicts a split with real labels.

    `scores` holds those of all ranks after `merge_ranks`. The loop adds it after the training of the classifier when
    there are real labels of `data.val_split`.

    Args:
        catalog: class table.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.catalog = catalog
        self.scores = TagScores(catalog)

    def take(self, prediction: Mapping[str, Any]) -> None:
        """Keep the logits and tags of one image's tiles."""
        self.scores.add(prediction["logits"].float().cpu().numpy(), prediction["tags"].cpu().numpy())

    def merge_ranks(self) -> None:
        """Bring the scores of all ranks together; every rank calls this after the prediction."""
        merged = TagScores(self.catalog)
        for scores in gather_from_all_ranks(self.scores):
            merged.merge(scores)
        self.scores = merged
