"""Random street-like maps, and their scores by cityscapesscripts through the files it reads.

Used by the parity tests and by benchmarks/score_speed.py.
"""

from __future__ import annotations

import json
import multiprocessing.dummy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from cityscapesscripts.evaluation import (
    evalInstanceLevelSemanticLabeling,
    evalPanopticSemanticLabeling,
    evalPixelLevelSemanticLabeling,
)
from cityscapesscripts.preparation import createPanopticImgs
from PIL import Image

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.panoptic import PanopticMap, PanopticTruth, Segment

Evaluation = Callable[[], Any]
"""Runs an official evaluation over files written before, any number of times; its result is a dictionary."""

STATIC, CARAVAN = 4, 29
"""Ids of classes that Cityscapes ignores in evaluation; the second has instances."""


@dataclass(frozen=True)
class Case:
    """One image: what is true and what is predicted."""

    image_id: str
    prediction: PanopticMap
    truth: PanopticTruth
    semantic_prediction: SemanticMap


def random_case(rng: np.random.Generator, image_id: str, height: int, width: int, instances: int) -> Case:
    """Paint rectangles as truth, then shift, drop, add and recolour some of them as prediction.

    Contains groups, ignored regions with and without instance numbers, instances under 100 pixels, instances on
    groups and on ignored pixels, pixels without a prediction, and equal scores.
    """
    stuff = rng.choice(CITYSCAPES.stuff_ids, 3)
    semantic = np.full((height, width), stuff[0], np.uint8)
    semantic[:, width // 2 :] = stuff[1]
    numbers = np.zeros((height, width), np.int32)
    predicted = semantic.copy()
    predicted[height // 3 :] = stuff[2]
    predicted[: rng.integers(0, height // 4)] = 255
    semantic_prediction = predicted.copy()
    ids = np.where(predicted == 255, 0, predicted.astype(np.int32) + 1)
    class_of = {i + 1: i for i in range(CITYSCAPES.num_classes)}
    things = rng.choice(CITYSCAPES.thing_ids, 4)
    for number in range(1, instances + 1):
        class_id = int(rng.choice(things))
        top, left = rng.integers(0, height - 4), rng.integers(0, width - 4)
        size = rng.integers(4, max(6, height // 2), 2)
        kind = rng.random()
        region = slice(top, top + size[0]), slice(left, left + size[1])
        if kind < 0.8:
            semantic[region] = class_id if kind < 0.7 else 255
            # A group, an ignored region and an instance of an ignored class are all in the mix.
            numbers[region] = 0 if kind < 0.15 or kind > 0.75 else number
        if rng.random() < 0.85:
            shift = rng.integers(-2, 3, 4)
            rows, columns = (
                slice(max(0, side.start + int(a)), max(0, side.stop + int(b)))
                for side, a, b in zip(region, shift[:2], shift[2:], strict=True)
            )
            answer = class_id if rng.random() < 0.9 else int(rng.choice(things))
            ids[rows, columns] = 1000 + number
            class_of[1000 + number] = answer
            semantic_prediction[rows, columns] = answer
    ids[-1, : width // 3] = 0
    segments = tuple(
        Segment(int(i), class_of[int(i)], float(rng.integers(0, 20)) / 20) for i in np.unique(ids) if i > 0
    )
    return Case(image_id, PanopticMap(ids, segments), PanopticTruth(semantic, numbers), semantic_prediction)


def class_map(prediction: PanopticMap) -> SemanticMap:
    """The classes of a panoptic prediction, 255 where there is none."""
    semantic = np.full(prediction.ids.shape, 255, np.uint8)
    for segment in prediction.segments:
        semantic[prediction.ids == segment.segment_id] = segment.class_id
    return semantic


def write_truth(case: Case, root: Path) -> Path:
    """Write labelIds and instanceIds in the layout of Cityscapes; the path of the latter."""
    dataset_ids = np.full(256, STATIC, np.int32)
    dataset_ids[: CITYSCAPES.num_classes] = [c.dataset_id for c in CITYSCAPES.classes]
    numbers = case.truth.instances
    label_ids = dataset_ids[case.truth.semantic]
    label_ids[(case.truth.semantic == 255) & (numbers > 0)] = CARAVAN
    has_number = (numbers > 0) & (CITYSCAPES.is_thing[case.truth.semantic] | (case.truth.semantic == 255))
    folder = root / "gtFine" / "val" / "city"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(label_ids.astype(np.uint8)).save(folder / f"{case.image_id}_gtFine_labelIds.png")
    path = folder / f"{case.image_id}_gtFine_instanceIds.png"
    Image.fromarray(np.where(has_number, label_ids * 1000 + numbers - 1, label_ids).astype(np.uint16)).save(path)
    return path


def write_instances(case: Case, folder: Path) -> Path:
    """Write the instances of a prediction as masks and the text file that lists them; the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for segment in case.prediction.segments:
        name = f"{case.image_id}_{segment.segment_id}.png"
        if CITYSCAPES.is_thing[segment.class_id]:
            mask = case.prediction.ids == segment.segment_id
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / name)
            lines.append(f"{name} {CITYSCAPES.classes[segment.class_id].dataset_id} {segment.score!r}\n")
    path = folder / f"{case.image_id}.txt"
    path.write_text("".join(lines))
    return path


def write_panoptic(cases: Sequence[Case], folder: Path) -> Path:
    """Write panoptic predictions as colours; the path of the JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = []
    for case in cases:
        ids = case.prediction.ids
        colors = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(colors).save(folder / f"{case.image_id}.png")
        segments = [
            {"id": s.segment_id, "category_id": CITYSCAPES.classes[s.class_id].dataset_id}
            for s in case.prediction.segments
        ]
        entry = {"image_id": case.image_id, "file_name": f"{case.image_id}.png", "segments_info": segments}
        annotations.append(entry)
    path = folder.with_suffix(".json")
    path.write_text(json.dumps({"annotations": annotations}))
    return path


@contextmanager
def working_reference(folder: Path) -> Iterator[None]:
    """Make cityscapesscripts run with NumPy 2, in this process, and write nowhere but in `folder`."""
    instance_level = evalInstanceLevelSemanticLabeling
    pool = SimpleNamespace(cpu_count=lambda: 1, Pool=multiprocessing.dummy.Pool)
    with (
        mock.patch.object(np, "in1d", np.isin, create=True),
        mock.patch.object(evalPanopticSemanticLabeling, "multiprocessing", pool),
        # NumPy's integers cannot be written as JSON, and the files are of no interest.
        mock.patch.object(instance_level, "writeDict2JSON"),
        mock.patch.multiple(
            instance_level.args,
            gtInstancesFile=str(folder / "gtInstances.json"),
            predictionPath=str(folder),
            quiet=True,
            JSONOutput=False,
        ),
        mock.patch.multiple(
            evalPixelLevelSemanticLabeling.args, evalInstLevelScore=False, quiet=True, JSONOutput=False
        ),
    ):
        yield


def prepare_panoptic(cases: Sequence[Case], folder: Path) -> Evaluation:
    """Write all files for evalPanopticSemanticLabeling; truth files are converted by the official converter."""
    for case in cases:
        write_truth(case, folder)
    predictions = write_panoptic(cases, folder / "panoptic")
    with working_reference(folder):
        createPanopticImgs.convert2panoptic(str(folder / "gtFine"), str(folder), setNames=["val"])

    def evaluate() -> Any:
        with working_reference(folder):
            return evalPanopticSemanticLabeling.evaluatePanoptic(
                str(folder / "cityscapes_panoptic_val.json"),
                str(folder / "cityscapes_panoptic_val"),
                str(predictions),
                str(folder / "panoptic"),
                str(folder / "result.json"),
            )

    return evaluate


def prepare_pixels(cases: Sequence[Case], folder: Path) -> Evaluation:
    """Write all files for evalPixelLevelSemanticLabeling of the semantic predictions; 255 becomes 'unlabeled'."""
    dataset_ids = np.zeros(256, np.uint8)
    dataset_ids[: CITYSCAPES.num_classes] = [c.dataset_id for c in CITYSCAPES.classes]
    truths, predictions = [], []
    for case in cases:
        truths.append(str(write_truth(case, folder)).replace("instanceIds", "labelIds"))
        predictions.append(str(folder / f"{case.image_id}_semantic.png"))
        Image.fromarray(dataset_ids[case.semantic_prediction]).save(predictions[-1])
    module = evalPixelLevelSemanticLabeling

    def evaluate() -> Any:
        with working_reference(folder):
            return module.evaluateImgLists(predictions, truths, module.args)

    return evaluate


def prepare_instances(cases: Sequence[Case], folder: Path) -> Evaluation:
    """Write all files for evalInstanceLevelSemanticLabeling."""
    truths = [str(write_truth(case, folder)) for case in cases]
    predictions = [str(write_instances(case, folder / "instances")) for case in cases]
    module = evalInstanceLevelSemanticLabeling

    def evaluate() -> Any:
        with working_reference(folder), warnings.catch_warnings():
            # Means over classes that occur nowhere.
            warnings.simplefilter("ignore", RuntimeWarning)
            return module.evaluateImgLists(predictions, truths, module.args)["averages"]

    return evaluate
