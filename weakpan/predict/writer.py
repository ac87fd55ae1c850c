"""Writes predictions while they are made, every rank its own images."""

from __future__ import annotations

from pathlib import Path

from weakpan.callbacks.each_prediction import EachPrediction
from weakpan.catalog import Catalog
from weakpan.data.coco import CocoImage, segment_records, write_panoptic_png
from weakpan.predict.overlays import draw_prediction, write_jpeg
from weakpan.predict.photographs import Source
from weakpan.ranks import gather_from_all_ranks
from weakpan.training.segmenter_module import Prediction


class WritePanoptic(EachPrediction):
    """Writes `panoptic/ID.png` and `overlays/ID.jpg` while `SegmenterModule` predicts.

    predict.py adds it; its switch is the key `overlays`:

        overlays: true

    When the prediction ends, `images` holds the records of all ranks, sorted by image id.

    Args:
        source: photographs that are predicted.
        catalog: class table.
        out: folder that `panoptic` and `overlays` are made in.
        overlays: whether pictures are wanted.
    """

    def __init__(self, source: Source, catalog: Catalog, out: Path, overlays: bool) -> None:
        super().__init__()
        self.source, self.catalog, self.out, self.overlays = source, catalog, out, overlays
        self.images: list[CocoImage] = []

    def take(self, prediction: Prediction) -> None:
        """Write one image."""
        image_id, panoptic = prediction.image_id, prediction.panoptic
        assert panoptic is not None
        write_panoptic_png(self.out / "panoptic" / f"{image_id}.png", panoptic)
        if self.overlays:
            picture = draw_prediction(self.source.photographs.image(image_id), panoptic, self.catalog)
            write_jpeg(self.out / "overlays" / f"{image_id}.jpg", picture)
        height, width = panoptic.ids.shape
        segments = tuple(segment_records(panoptic, self.catalog))
        self.images.append(CocoImage(image_id, self.source.file_name(image_id), height, width, segments))

    def merge_ranks(self) -> None:
        """Bring the records of all ranks together; every rank calls this after the prediction."""
        self.images = [image for images in gather_from_all_ranks(self.images) for image in images]
        self.images.sort(key=lambda image: image.image_id)
