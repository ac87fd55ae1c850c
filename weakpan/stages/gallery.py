"""Stage: the pictures of the report, for the same few images each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pytorch_lightning.loggers import Logger

from weakpan.basics.arrays import RGBImage
from weakpan.basics.panoptic import PanopticMap, PanopticTruth
from weakpan.callbacks.prediction_callback import ForEachPrediction
from weakpan.config.modules import segmenter_crops
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.parallel.ranks import gather_from_all_ranks, rank
from weakpan.report.page import PanelRow
from weakpan.report.pictures import color_instances, color_masks, color_panoptic, draw_boundaries, draw_boxes
from weakpan.report.pictures import color_semantic as color
from weakpan.stages.build import build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.training.prediction import Prediction
from weakpan.training.segmenter_module import SegmenterModule


def make_gallery(
    experiment: Experiment, module: SegmenterModule, last_round: int, loggers: list[Logger]
) -> list[PanelRow]:
    """Rows of pictures: training images with every step of their labels, validation images with the result.

    On rank 0, which writes them; the others help to predict and return no rows.
    """
    config, train = experiment.config, experiment.train
    chosen = _spread(train.ids, config.report.train_images)
    predictions = _predict(experiment, module, train, chosen, loggers)
    rows: list[PanelRow] = []
    if rank() == 0:
        rows += [_train_row(experiment, image_id, last_round, predictions[image_id]) for image_id in chosen]
    if experiment.val is not None:
        val, chosen = experiment.val, _spread(experiment.val.ids, config.report.val_images)
        predictions = _predict(experiment, module, val, chosen, loggers)
        for image_id in chosen if rank() == 0 else ():
            columns = [("image", val.image(image_id)), *_result(val, image_id, predictions[image_id])]
            rows.append(PanelRow(image_id, tuple(columns)))
    return rows


def _train_row(experiment: Experiment, image_id: str, last_round: int, prediction: PanopticMap) -> PanelRow:
    train, catalog = experiment.train, experiment.catalog
    image = train.image(image_id)
    columns: list[tuple[str, RGBImage]] = []
    if image_id in experiment.full_ids:
        columns.append(("image", image))
    else:
        boxes = experiment.weak.images[image_id].boxes
        columns.append(("image and boxes", draw_boxes(image, boxes, catalog)))
        seeds, masks = experiment.stores.seeds, experiment.stores.masks
        if seeds.path(image_id).is_file():
            columns.append(("seeds", color(seeds.read(image_id), catalog)))
        if masks.path(image_id).is_file():
            columns.append(("masks in boxes", color_masks(masks.read(image_id), catalog)))
        for index in sorted({0, last_round}):
            labels = experiment.labels(index).read(image_id)
            picture = color_instances(labels.semantic, labels.instances, catalog)
            columns.append((f"labels of round {index}", draw_boundaries(picture, labels.instances)))
    return PanelRow(image_id, (*columns, *_result(train, image_id, prediction)))


def _result(split: ImageTree, image_id: str, prediction: PanopticMap) -> list[tuple[str, RGBImage]]:
    columns = [("prediction", draw_boundaries(color_panoptic(prediction, split.catalog), prediction.ids))]
    ground_truth = GroundTruth.of(split)
    if ground_truth.has(image_id):
        truth: PanopticTruth = ground_truth.panoptic(image_id)
        picture = color_instances(truth.semantic, truth.instances, split.catalog)
        columns.append(("truth", draw_boundaries(picture, truth.semantic, truth.instances)))
    return columns


def _spread(ids: Sequence[str], count: int) -> list[str]:
    """Ids evenly spread over a split."""
    if not ids or count < 1:
        return []
    positions = np.linspace(0, len(ids) - 1, min(count, len(ids)) + 2)[1:-1] if count < len(ids) else range(len(ids))
    return [ids[round(float(p))] for p in positions]


def _predict(
    experiment: Experiment, module: SegmenterModule, split: ImageTree, ids: list[str], loggers: list[Logger]
) -> dict[str, PanopticMap]:
    if not ids:
        return {}
    config, made = experiment.config, dict[str, PanopticMap]()

    def keep(prediction: Prediction) -> None:
        assert prediction.panoptic is not None
        made[prediction.image_id] = prediction.panoptic

    images = WholeImages(split, ids, segmenter_crops(config.segmenter).scale, annotations=None)
    trainer = build_trainer(config, experiment.layout, "gallery", [ForEachPrediction(keep)], loggers)
    trainer.predict(module, PanopticDataModule(None, images, 1, 0, config.seed), return_predictions=False)
    return {image_id: panoptic for maps in gather_from_all_ranks(made) for image_id, panoptic in maps.items()}
