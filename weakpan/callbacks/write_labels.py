"""Regenerates the pseudo ground truth at the end of a round."""

from __future__ import annotations

from weakpan.callbacks.each_prediction import EachPrediction
from weakpan.data.annotations import WeakAnnotations
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import make_labels
from weakpan.labels.settings import LabelSettings
from weakpan.labels.store import LabelStore
from weakpan.map_store import MapStore
from weakpan.training.segmenter_module import Prediction


class WriteLabels(EachPrediction):
    """Cleans each prediction on a training image into labels for the next round and writes them.

    The loop adds it to the prediction stage at the end of a round; its settings are the group `labels`:

        labels: {score_threshold: 0.99, fill_threshold: 0.5, fill_over_things: false, mask_rounds: 5}

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

    def take(self, prediction: Prediction) -> None:
        """Clean and write one image."""
        image_id = prediction.image_id
        needs_masks = "mask_merge" in self.settings.steps_in_round(self.round_index)
        inp = LabelInput(
            prediction=prediction.semantic,
            score=prediction.score,
            masks=self.masks.read(image_id) if needs_masks else None,
            annotation=self.annotations.images[image_id],
        )
        labels = make_labels(inp, self.settings, self.annotations.catalog, self.annotations.grid, self.round_index)
        self.store.write(image_id, labels)
