"""What a run is going to do, printed before it starts, with an estimate of how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.console import clock
from weakpan.config.train import Supervision
from weakpan.data.annotations import BoxKind
from weakpan.data.loaders.panoptic_datamodule import collate_views
from weakpan.masks.sam import SamMasks
from weakpan.stages.build import build_classifier, build_segmenter
from weakpan.stages.experiment import Experiment

_MASK_SECONDS = 0.03
"""Order of magnitude for one box on one core; only the estimate depends on it."""


@rank_zero_only
def print_plan(experiment: Experiment) -> None:
    """Print stages, rounds, epochs, images and an estimate measured with a few steps on noise, of what is not done."""
    config, layout = experiment.config, experiment.layout
    weak = config.supervision is not Supervision.full
    data = f"data: {config.data.name} in {config.data.root}, {len(experiment.train.ids)} training images"
    lines = [f"run folder {layout.folder}", data]
    parts = [*(_cues(experiment) if weak else ()), *_rounds(experiment, weak)]
    lines += [line for line, _ in parts]
    total = sum(seconds for _, seconds in parts)
    lines.append(f"in all about {clock(total)}, loading and writing not counted" if total else "then the report")
    lines += [f"supervision={config.supervision.value}: {what}" for what in experiment.supervision_used]
    print("\n".join(["plan:", *(f"  {line}" for line in lines)]), flush=True)


def _cues(experiment: Experiment) -> Iterator[tuple[str, float]]:
    """A line and seconds for each stage that makes cues."""
    config, images = experiment.config, len(experiment.train.ids)
    if experiment.masks.is_sealed():
        yield "masks in boxes: finished already", 0.0
    else:
        boxes = sum(b.kind is BoxKind.INSTANCE for i in experiment.weak_ids for b in experiment.weak.images[i].boxes)
        seconds = boxes * _MASK_SECONDS / config.processes
        if isinstance(config.mask_source, SamMasks):
            # A second to minutes an image, by the size of the model.
            yield f"masks in boxes: {boxes} boxes, in a time that depends on the model and is not counted", 0.0
        else:
            yield f"masks in boxes: {boxes} boxes, about {clock(seconds)}", seconds
    if experiment.needs_classifier:
        if (experiment.layout.classifier / "manifest.json").is_file():
            yield "classifier: finished already", 0.0
        else:
            seconds = config.classifier.epochs * images * _classifier_seconds(experiment)
            yield f"classifier: {config.classifier.epochs} epochs, about {clock(seconds)}", seconds
    yield f"seeds: {'finished already' if experiment.seeds.is_sealed() else f'of {images} images'}", 0.0


def _rounds(experiment: Experiment, weak: bool) -> Iterator[tuple[str, float]]:
    """A line and seconds for the rounds that are finished and for those that are not."""
    config, rounds = experiment.config, experiment.config.rounds
    done = experiment.layout.rounds()
    if done:
        yield f"rounds {', '.join(map(str, done))} are finished already and are not run again", 0.0
    left = rounds.n - len(done)
    if left <= 0:
        return
    images, validation = len(experiment.train.ids), len(experiment.val.ids) if experiment.val else 0
    step, image = _segmenter_seconds(experiment)
    fit = rounds.epochs * max(1, images // config.segmenter.views.batch_size) * step + image * validation
    again = image * images if weak else 0.0
    new_labels = ", new labels after each but the last" if weak else ""
    yield (
        f"up to {left} {'more ' if done else ''}rounds of {rounds.epochs} epochs on {images} images, scores on "
        f"{validation}{new_labels}: about {clock(fit + again)} each",
        left * fit + (left - 1) * again,
    )


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
    module = build_classifier(config, experiment.catalog).to(device)
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
