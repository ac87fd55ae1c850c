"""Writes predictions while they are made, every rank its own images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weakpan.callbacks.prediction_callback import EachPrediction
from weakpan.data.formats.coco import CocoImage
from weakpan.parallel.ranks import gather_from_all_ranks
from weakpan.parallel.sharing import naming_image
from weakpan.predict.photographs import Source, Stamp
from weakpan.predict.result_folder import ResultFolder
from weakpan.training.prediction import Prediction


class WritePanoptic(EachPrediction):
    """Writes `panoptic/ID.png` and `overlays/ID.jpg` while `SegmenterModule` predicts.

    predict.py adds it; its switch is the key `overlays`:

        overlays: true

    The stamps of the photographs, by image id, are from before they were read.
    """

    def __init__(self, source: Source, folder: ResultFolder, stamps: Mapping[str, Stamp]) -> None:
        super().__init__()
        self.source, self.folder, self.stamps = source, folder, stamps
        self.images: list[CocoImage] = []

    def take(self, prediction: Prediction) -> None:
        """Write one image; raises MachineError, with the image, for a disk that is full or broken."""
        image_id = prediction.image_id
        with naming_image(image_id):
            photograph = self.source.photographs.image(image_id) if self.folder.overlays else None
            self.images.append(self.folder.write(prediction, photograph, self.stamps[image_id]))

    def merge_ranks(self, kept: Iterable[CocoImage]) -> None:
        """Bring the records of all ranks together; every rank calls this after the prediction.

        Afterwards `images` holds all of them, sorted by image id.

        Args:
            kept: records of images that were there before, the same on every rank.
        """
        self.images = [*kept, *(image for images in gather_from_all_ranks(self.images) for image in images)]
        self.images.sort(key=lambda image: image.image_id)
