"""What the loop costs beside its networks: training against a bare PyTorch loop, relabelling against plain inference.

    python -m benchmarks.loop_overhead RUN_FOLDER [--images 24] [--repeats 5] [--encoder tf_efficientnet_lite0]

RUN_FOLDER is a finished run with weak supervision; nothing in it is changed. Both sides of a ratio see the same images
through the same loaders, network and device, in one process and in turns; medians are printed. A bare loop has forward,
losses, backward, clipping, optimiser and schedule; on the other side stands the Trainer without checkpoints, logs and
further callbacks, which are written once an epoch. Plain inference has the network, its enlargement to the size of the
image and the most likely class; relabelling also chooses among candidates, lets probabilities flow, cleans, and
writes. It leaves out the network's centres and offsets, which labels are not made from, so that it is also compared
with inference that does without them. With OMP_NUM_THREADS below the number of cores a thread makes labels beside the
network, otherwise it is done in between. Another encoder than that of the run has random weights, which changes labels
and hardly the time. Processor time, that of loaders included, is printed too: on a busy machine its ratio is the one to
look at, but torch's threads also spend it on waiting for each other.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional as F

from weakpan.callbacks.resumable_fit import SeedSteps
from weakpan.callbacks.write_labels import WriteLabels
from weakpan.config.modules import segmenter_crops
from weakpan.config.train_checks import to_train_config
from weakpan.data.image_tree import ImageTree
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, TrainingViews, WholeImages
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.rule import CANDIDATES
from weakpan.labels.store import LabelStore
from weakpan.labels.trail import AuditTrail
from weakpan.stages.build import build_segmenter, build_trainer, quieten_lightning
from weakpan.stages.experiment import Experiment, prepare
from weakpan.stages.segmenter import RoundLabels
from weakpan.stages.settings import SEGMENTER
from weakpan.stages.weights import load_weights
from weakpan.storage.layout import RunLayout
from weakpan.training.segmenter_module import SegmenterModule


class Cost(NamedTuple):
    """Seconds, by the clock and of processors."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Cost:
        """Since some moment; loaders count once they have ended."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used))

    def since(self, start: Cost) -> Cost:
        """What passed from one moment to this one."""
        return Cost(self.wall - start.wall, self.processor - start.processor)


class Clock(pl.Callback):
    """Cost of the last training epoch, without what a Trainer does once."""

    cost = Cost(0.0, 0.0)

    def on_train_epoch_start(self, *_: object) -> None:
        """Called by Lightning."""
        self.start = Cost.now()

    def on_train_epoch_end(self, *_: object) -> None:
        """Called by Lightning."""
        wait()
        self.cost = Cost.now().since(self.start)


def wait() -> None:
    """Wait for the accelerator, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def as_trained(experiment: Experiment, device: torch.device) -> torch.autocast:
    """The precision that the Trainer of the run computes in."""
    precision = str(experiment.config.trainer.get("precision") or "32-true")
    if precision not in ("32-true", "32", "bf16-mixed"):
        sys.exit(f"trainer.precision={precision}: the bare loop knows 32-true and bf16-mixed")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")


def some_images(split: ImageTree, count: int) -> ImageTree:
    """The first images of a split."""
    return ImageTree(split.root, split.split, split.catalog, split.templates, split.ids[:count])


def views_of(experiment: Experiment, split: ImageTree) -> PanopticDataModule:
    """Training views of some images with the labels of round 0."""
    config = experiment.config
    labels = RoundLabels(experiment, experiment.labels(0))
    crops = segmenter_crops(config.segmenter)
    views = TrainingViews(split, labels, experiment.weak, experiment.full_ids, crops, 0)
    return PanopticDataModule(views, None, crops.batch_size, config.data.workers, 0)


def fit_with_trainer(experiment: Experiment, module: SegmenterModule, data: PanopticDataModule) -> Cost:
    """Cost of the second epoch of the loop's own training."""
    clock = Clock()
    callbacks = [clock, SeedSteps(0)]
    trainer = build_trainer(experiment.config, experiment.layout, "benchmark", callbacks, [], max_epochs=2)
    trainer.fit(module, data)
    return clock.cost


def fit_bare(experiment: Experiment, module: SegmenterModule, data: PanopticDataModule, device: torch.device) -> Cost:
    """Cost of the second epoch of a bare loop."""
    data.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    loader = data.train_dataloader()
    module = module.to(device).train()
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    setting = module.make_optimizers(2 * len(loader))
    optimiser, schedule = setting["optimizer"], setting["lr_scheduler"]["scheduler"]
    clip = experiment.config.trainer.get("gradient_clip_val")
    start = Cost.now()
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        start = Cost.now()
        for index, batch in enumerate(loader):
            with as_trained(experiment, device):
                loss = module.training_step({key: value.to(device) for key, value in batch.items()}, index)
            optimiser.zero_grad()
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimiser.step()
            schedule.step()
        wait()
    return Cost.now().since(start)


def relabel(experiment: Experiment, module: SegmenterModule, split: ImageTree, folder: Path) -> Cost:
    """Cost of making the labels of round 1."""
    config, stores, rules = experiment.config, experiment.stores, experiment.rules
    annotations = experiment.weak if CANDIDATES in rules.needs(1) else None
    scale, store = segmenter_crops(config.segmenter).scale, LabelStore(folder)
    images = WholeImages(split, split.ids, scale, annotations, semantic_only=True)

    def write(inp: LabelInput, labels: PseudoLabels, trail: AuditTrail | None) -> None:  # noqa: ARG001
        store.write(inp.annotation.image_id, labels)

    writer = WriteLabels(write, rules, stores.masks.read, stores.seeds.read, experiment.weak, 1)
    trainer = build_trainer(config, experiment.layout, "benchmark", [writer], [])
    data = PanopticDataModule(None, images, 1, config.data.workers, 0)
    start = Cost.now()
    trainer.predict(module, data, return_predictions=False)
    wait()
    return Cost.now().since(start)


def infer(experiment: Experiment, module: SegmenterModule, split: ImageTree, device: torch.device, whole: bool) -> Cost:
    """Cost of plain inference on the same images, with the whole network or its classes alone."""
    config = experiment.config
    images = WholeImages(split, split.ids, segmenter_crops(config.segmenter).scale, None)
    module = module.to(device).eval()
    start = Cost.now()
    data = PanopticDataModule(None, images, 1, config.data.workers, 0)
    data.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with torch.inference_mode(), as_trained(experiment, device):
        for batch in data.predict_dataloader():
            logits = see(module, batch["image"].to(device), whole)
            F.interpolate(logits, batch["size"], mode="bilinear", align_corners=False).argmax(dim=1).cpu()
    return Cost.now().since(start)


def see(module: SegmenterModule, image: Tensor, whole: bool) -> Tensor:
    """Semantic logits, averaged with those of the mirror image if the run does that."""

    def network(shown: Tensor) -> Tensor:
        scaled = (shown.float() / 255).to(memory_format=module.memory_format)
        return module.network(scaled).semantic.float()

    module.network.classes_only = not whole
    return (network(image) + network(image.flip(-1)).flip(-1)) / 2 if module.flip_average else network(image)


def print_ratio(name: str, ours: Callable[[], Cost], plain: Callable[[], Cost], repeats: int) -> None:
    """Both in turns, after one turn that does not count."""
    pairs = []
    for turn in range(repeats + 1):
        # What comes second finds caches warm, which must not always be the same one.
        pair = (ours(), plain()) if turn % 2 else tuple(reversed((plain(), ours())))
        pairs += [pair] if turn else []
    ratio, processors = (
        statistics.median(a / b for a, b in [(p[kind], q[kind]) for p, q in pairs]) for kind in range(len(Cost._fields))
    )
    seconds = [statistics.median(cost.wall for cost in costs) for costs in zip(*pairs, strict=True)]
    print(f"{name}: {seconds[0]:.2f} s against {seconds[1]:.2f} s, {ratio:.2f} times the time, ", end="")
    print(f"{1 / ratio:.2f} of the throughput; {processors:.2f} times the processor time", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--encoder", default=None, help="any timm encoder instead of that of the run")
    arguments = parser.parse_args()
    quieten_lightning()
    layout = RunLayout(arguments.run)
    config = to_train_config(OmegaConf.create(layout.config.read_text(encoding="utf-8")))
    config.callbacks, config.logger = {}, {}
    experiment = prepare(config, arguments.run)
    config.segmenter["network"]["encoder"] = arguments.encoder or config.segmenter["network"]["encoder"]
    split = some_images(experiment.train, arguments.images)
    accelerator = config.trainer.get("accelerator", "auto")
    device = torch.device("cuda" if accelerator in ("auto", "gpu") and torch.cuda.is_available() else "cpu")
    print(f"{len(split.ids)} images, {device}, {torch.get_num_threads()} threads")

    def fresh() -> SegmenterModule:
        module = build_segmenter(config.segmenter, experiment.catalog, with_init=False)
        if arguments.encoder is None:
            load_weights(module, layout.round(0).checkpoint, SEGMENTER)
        return module

    with tempfile.TemporaryDirectory() as folder:
        print_ratio(
            "an epoch of training, the loop against bare PyTorch",
            lambda: fit_with_trainer(experiment, fresh(), views_of(experiment, split)),
            lambda: fit_bare(experiment, fresh(), views_of(experiment, split), device),
            arguments.repeats,
        )
        for whole, of in ((True, ""), (False, " without centres and offsets")):
            print_ratio(
                f"relabelling against plain inference{of}",
                lambda: relabel(experiment, fresh(), split, Path(folder)),
                lambda whole=whole: infer(experiment, fresh(), split, device, whole),
                arguments.repeats,
            )


if __name__ == "__main__":
    main()
