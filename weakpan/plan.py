"""What a run is going to do, printed before it starts, with an estimate of how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from pytorch_lightning.utilities import rank_zero_only

from weakpan.clock import clock
from weakpan.config.train import Supervision
from weakpan.data.annotations import BoxKind
from weakpan.data.panoptic_datamodule import collate_views
from weakpan.stages.build import build_classifier, build_segmenter
from weakpan.stages.experiment import Experiment

_MASK_SECONDS = 0.03
"""Order of magnitude for one box on one core; only the estimate depends on it."""


@rank_zero_only
def print_plan(experiment: Experiment) -> None:
    """Print stages, rounds, epochs, images and an estimate measured with a few steps on noise."""
    config = experiment.config
    weak = config.supervision is not Supervision.full
    images, rounds = len(experiment.train.ids), config.rounds
    validation = len(experiment.val.ids) if experiment.val else 0
    step, image = _segmenter_seconds(experiment)
    batch = config.segmenter.views.batch_size
    fit = rounds.epochs * max(1, images // batch) * step
    lines = [f"run folder {experiment.layout.folder}", f"data: {config.data.name}, {images} training images"]
    total = 0.0
    if weak:
        boxes = sum(b.kind is BoxKind.INSTANCE for i in experiment.weak_ids for b in experiment.weak.images[i].boxes)
        seconds = boxes * _MASK_SECONDS / config.cues.workers
        lines.append(f"masks in boxes: {boxes} boxes, about {clock(seconds)}")
        cam = config.cues.cam
        # Looking takes about a third of a training step, and the square of the scale.
        looks = (1 + cam.flip) * sum(scale**2 for scale in cam.scales) / 3
        seconds_of_cams = (config.classifier.epochs + looks) * images * _classifier_seconds(experiment)
        lines.append(f"classifier and CAMs: {config.classifier.epochs} epochs, about {clock(seconds_of_cams)}")
        total += seconds + seconds_of_cams
    again = image * images if weak else 0.0
    new_labels = ", new labels after each but the last" if weak else ""
    lines.append(
        f"up to {rounds.n} rounds of {rounds.epochs} epochs on {images} images, scores on {validation}{new_labels}: "
        f"about {clock(fit + image * validation + again)} each"
    )
    total += rounds.n * (fit + image * validation) + (rounds.n - 1) * again
    done = experiment.layout.rounds()
    if done:
        lines.append(f"rounds {', '.join(map(str, done))} are finished already and are not run again")
    lines += [f"in all about {clock(total)}, loading and writing not counted"]
    lines += [f"supervision={config.supervision.value}: {what}" for what in experiment.supervision_used]
    print("\n".join(["plan:", *(f"  {line}" for line in lines)]), flush=True)


def _device(experiment: Experiment) -> torch.device:
    accelerator = experiment.config.trainer.get("accelerator", "auto")
    use_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


def _time(run: Callable[[], object]) -> float:
    """Seconds of the second of two calls; the first pays for set-up."""
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _segmenter_seconds(experiment: Experiment) -> tuple[float, float]:
    """Seconds of a training step, and of predicting one image."""
    config, device = experiment.config.segmenter, _device(experiment)
    module = build_segmenter(config, experiment.catalog, with_init=False).to(device)
    height, width = config.views.crop_height, config.views.crop_width
    view = {
        "image": torch.randint(0, 255, (3, height, width), dtype=torch.uint8),
        "semantic": torch.zeros(height, width, dtype=torch.int64),
        "centre": torch.zeros(height, width),
        "centre_known": torch.ones(height, width, dtype=torch.bool),
        "offset": torch.zeros(2, height, width),
        "offset_known": torch.ones(height, width, dtype=torch.bool),
        "set_index": torch.zeros(height, width, dtype=torch.int64),
        "set_table": torch.ones(1, experiment.catalog.num_classes, dtype=torch.bool),
        "present_areas": torch.tensor([[0, 0, height, width]]),
        "present_classes": torch.ones(1, experiment.catalog.num_classes, dtype=torch.bool),
        "present_is_box": torch.zeros(1, dtype=torch.bool),
    }
    batch = {k: v.to(device) for k, v in collate_views([view] * config.views.batch_size).items()}
    module.log = _ignore  # type: ignore[method-assign]
    step = _time(lambda: torch.autograd.backward(module.training_step(batch, 0)))
    size = experiment.train.image_size(experiment.train.ids[0])
    working = tuple(max(1, round(n * config.views.scale)) for n in size)
    image = torch.randint(0, 255, (1, 3, *working), dtype=torch.uint8, device=device)
    module.eval()
    with torch.inference_mode():
        predict = _time(lambda: module.predict_step({"image_id": "", "image": image, "size": size}, 0))
    return step, predict


def _classifier_seconds(experiment: Experiment) -> float:
    """Seconds of a training step for each image in it."""
    config, device = experiment.config.classifier, _device(experiment)
    module = build_classifier(config, experiment.config.cues.cam, experiment.catalog).to(device)
    scales = module.scales
    grid = experiment.weak.grid
    tiles = len(grid.tiles(*experiment.train.image_size(experiment.train.ids[0])))
    size = (config.crops.height or grid.height, config.crops.width or grid.width)
    batch = {
        "tiles": torch.randint(0, 255, (tiles * config.crops.images_per_batch, 3, *size), dtype=torch.uint8).to(device),
        "tags": torch.zeros(tiles * config.crops.images_per_batch, experiment.catalog.num_classes).to(device),
    }
    module.log = _ignore  # type: ignore[method-assign]
    # What does not fit into memory at the largest scale is to be known now.
    module.scales = [max(scales)] * 2
    torch.autograd.backward(module.training_step(batch, 0))
    # Training draws a scale a step; its mean square is what counts.
    module.scales = [math.sqrt(sum(scale**2 for scale in scales) / 2)] * 2
    return _time(lambda: torch.autograd.backward(module.training_step(batch, 0))) / config.crops.images_per_batch


def _ignore(*_: object, **__: object) -> None:
    """Stands in for logging while a module is timed outside a Trainer."""
