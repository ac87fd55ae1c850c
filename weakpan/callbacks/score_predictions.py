"""Scores predictions against real labels, every image once however many ranks there are."""

from __future__ import annotations

from weakpan.callbacks.each_prediction import EachPrediction
from weakpan.data.cityscapes import CityscapesSplit
from weakpan.evaluation.scorer import PanopticScorer
from weakpan.ranks import gather_from_all_ranks
from weakpan.training.segmenter_module import Prediction


class ScorePredictions(EachPrediction):
    """Collects scores while `SegmenterModule` predicts a split with real labels.

    `scorer` holds those of all ranks after `merge_ranks`.

    The loop adds it to the scoring stage of every round when there are real labels of `data.val_split`; set
    `data.val_split: null` to train without.

    Args:
        split: photographs and real labels.
    """

    def __init__(self, split: CityscapesSplit) -> None:
        super().__init__()
        self.split = split
        self.scorer = PanopticScorer(split.catalog)

    def take(self, prediction: Prediction) -> None:
        """Score one image."""
        assert prediction.panoptic is not None
        truth = self.split.truth(prediction.image_id)
        self.scorer.add(prediction.image_id, prediction.panoptic, truth, prediction.semantic)

    def merge_ranks(self) -> None:
        """Bring the scores of all ranks together; every rank calls this after the prediction."""
        merged = PanopticScorer(self.split.catalog)
        for scorer in gather_from_all_ranks(self.scorer):
            merged.merge(scorer)
        self.scorer = merged
