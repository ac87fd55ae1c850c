"""Learning of set seeds: cells and their candidates, two classifiers, and label maps at full size."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weakpan.basics.arrays import IGNORE, NO_THING, RGBImage, SemanticMap
from weakpan.data.candidates import candidate_sets
from weakpan.models.cell_net import CellClassifier, CellFeatures
from weakpan.parallel.ranks import from_rank_zero, share_of_rank
from weakpan.parallel.sharing import share
from weakpan.refinement.pixel_adaptive import diffuse
from weakpan.refinement.tag_posterior import IMPOSSIBLE, cells_inside, tag_multipliers, tilted
from weakpan.seeds.source import SeedJob

if TYPE_CHECKING:
    from weakpan.seeds.set_seeds import SetSeeds

log = logging.getLogger(__name__)

_CELLS_FOR_DIRECTIONS = 20_000
"""Cells whose features decide which directions are kept."""

_IMAGES_FOR_DIRECTIONS = 200

_SHARE_UPDATE = 0.05
"""How much of the running class shares a step replaces."""

_ALONE = 0.25
"""Share of the steps in which candidates alone teach: targets of a classifier that knows nothing are worth nothing."""


class Cells(NamedTuple):
    """What learning needs of one image, at n cells.

    Attributes:
        features: (n, channels) float16.
        allowed: (n, C) bool, candidates after boxes and masks; none where nothing is known.
        inside: (T, n) float32, cells of the crops.
        required: (T, C) bool, tags of stuff.
    """

    features: Tensor
    allowed: Tensor
    inside: Tensor
    required: Tensor


@dataclass(frozen=True)
class _Reader:
    """Images at working size and what is known of their cells."""

    settings: SetSeeds
    job: SeedJob
    features: CellFeatures
    device: torch.device

    def small(self, image: RGBImage) -> Tensor:
        """(1, 3, h, w) float32 RGB, 0..1, on the device."""
        factor = min(1.0, self.settings.side / min(image.shape[:2]))
        size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
        resized = image if factor == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return torch.from_numpy(np.ascontiguousarray(resized)).to(self.device).permute(2, 0, 1)[None].float() / 255

    def allowed(self, image_id: str, rows: np.ndarray, columns: np.ndarray, void_too: bool) -> np.ndarray:
        """(h, w, C) bool, the candidates at some rows and columns of an image.

        Pixels of which tags and boxes leave nothing have none, or every class with `void_too`.
        """
        weak = self.job.annotations
        sets = candidate_sets(weak.images[image_id], weak.grid, weak.catalog, rows, columns)
        table = sets.table.copy()
        table[0] = void_too
        allowed = table[sets.index]
        if self.job.masks is not None:
            masks = self.job.masks(image_id)[np.ix_(rows, columns)]
            things = list(weak.catalog.thing_ids)
            thing = (masks != NO_THING) & (masks != IGNORE)
            some = allowed.any(axis=2)
            allowed[thing] = np.eye(weak.catalog.num_classes, dtype=bool)[masks[thing]]
            allowed[np.ix_(*map(range, masks.shape), things)] &= (masks != NO_THING)[..., None]
            # Masks are doubted before the pixel is: what boxes leave only to things stays so.
            lost = some & ~allowed.any(axis=2)
            allowed[lost] = table[sets.index][lost]
        return allowed

    def cells(self, image_id: str) -> Cells:
        """All that learning needs of an image."""
        image = self.job.images.image(image_id)
        small = self.small(image)
        with torch.inference_mode():
            found = self.features(small)[0]
        height, width = found.shape[-2:]
        rows = ((np.arange(height) + 0.5) * image.shape[0] / height).astype(np.int64)
        columns = ((np.arange(width) + 0.5) * image.shape[1] / width).astype(np.int64)
        weak = self.job.annotations
        annotation, catalog = weak.images[image_id], weak.catalog
        allowed = torch.from_numpy(self.allowed(image_id, rows, columns, void_too=False))
        crops = weak.grid.crops(annotation.height, annotation.width)
        stuff = [c for c in range(catalog.num_classes) if not catalog.is_thing[c]]
        required = torch.zeros((len(crops), catalog.num_classes), dtype=torch.bool)
        for crop, tags in enumerate(annotation.tags):
            required[crop, [c for c in stuff if c in tags]] = True
        inside = cells_inside([crop.slices for crop in crops], rows, columns)
        # Outside of inference mode, so that gradients may pass by.
        features = found.flatten(1).T.half().cpu().clone()
        return Cells(features, allowed.flatten(0, 1), inside, required)


def make_set_seeds(settings: SetSeeds, job: SeedJob) -> None:
    """Learn on rank 0, share what was learned, and write the seeds of the images of each rank."""
    device = job.trainer("seeds", []).strategy.root_device
    state, asked = from_rank_zero(lambda: _learn(settings, job, device))
    torch.manual_seed(job.seed)
    features = CellFeatures(settings.encoder, settings.init, settings.cell, settings.channels)
    classes = job.annotations.catalog.num_classes
    classifiers = [CellClassifier(features.channels, settings.hidden, classes) for _ in range(2)]
    for module, own in zip((features.reduce, *classifiers), state, strict=True):
        module.load_state_dict(own)
        module.to(device)
    features.to(device)
    read = _Reader(settings, job, features, device)
    share(_Predict(read, classifiers, asked), share_of_rank(job.todo), 1, "seeds")


def _learn(settings: SetSeeds, job: SeedJob, device: torch.device) -> tuple[list[dict[str, Tensor]], list[int]]:
    """The reductions and both classifiers as state dicts on the CPU, and the classes that the second is asked for."""
    if settings.init is None:
        log.warning("seeds.init=None: features of random weights tell little; give weights, or take seeds=cam")
    torch.manual_seed(job.seed)
    rng = np.random.default_rng(job.seed)
    features = CellFeatures(settings.encoder, settings.init, settings.cell, settings.channels).to(device)
    read = _Reader(settings, job, features, device)
    ids = sorted(job.ids)
    if len(ids) > settings.images:
        ids = [ids[k] for k in sorted(rng.choice(len(ids), settings.images, replace=False))]
    _find_directions(read, [ids[k] for k in rng.permutation(len(ids))[:_IMAGES_FOR_DIRECTIONS]], rng)
    data: list[Cells] = []
    share(_Each(lambda image_id: data.append(read.cells(image_id))), ids, 1, "features of seeds")
    catalog = job.annotations.catalog
    make = partial(CellClassifier, features.channels, settings.hidden, catalog.num_classes)
    plain = _train(make().to(device), settings, data, 0.0, job.seed, device)
    unsatisfied = unsatisfied_tags(plain, data, device)
    asked = [c for c, part in enumerate(unsatisfied) if part > settings.given_up]
    balanced = _train(make().to(device), settings, data, settings.balance, job.seed, device) if asked else plain
    names = catalog.names
    log.info(
        "tags that the plain classifier leaves unsatisfied: %s",
        ", ".join(f"{names[c]} {part:.2f}" for c, part in enumerate(unsatisfied) if part > 0),
    )
    if asked:
        log.info("the balanced classifier is asked for %s", ", ".join(names[c] for c in asked))
    parts = (features.reduce, plain, balanced)
    return [{k: v.cpu() for k, v in part.state_dict().items()} for part in parts], asked


@dataclass(frozen=True)
class _Each:
    """A function as a task of `share`, for its progress and its errors that name the image."""

    do: Callable[[str], None]

    def __call__(self, image_id: str) -> Counter[str]:
        """Do it."""
        self.do(image_id)
        return Counter(images=1)


def _find_directions(read: _Reader, ids: Sequence[str], rng: np.random.Generator) -> None:
    each = -(-_CELLS_FOR_DIRECTIONS // len(ids))
    samples: list[list[Tensor]] = [[] for _ in read.features.levels]

    def sample(image_id: str) -> None:
        with torch.inference_mode():
            for found, level in zip(
                samples, read.features.pyramid(read.small(read.job.images.image(image_id))), strict=True
            ):
                flat = level[0].flatten(1).T
                some = torch.from_numpy(rng.integers(0, len(flat), each)).to(flat.device)
                found.append(flat[some].float().cpu().clone())

    share(_Each(sample), ids, 1, "directions of seeds")
    with torch.no_grad():
        read.features.cpu().whiten([torch.cat(level) for level in samples])
    read.features.to(read.device)


def _train(
    model: CellClassifier, settings: SetSeeds, data: Sequence[Cells], balance: float, seed: int, device: torch.device
) -> CellClassifier:
    """Learn from candidates, and after a quarter of the steps from targets that satisfy the tags, too."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), settings.lr, weight_decay=1e-2)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, settings.steps)
    classes = data[0].allowed.shape[1]
    shares = torch.full((classes,), 1 / classes, device=device)
    for step in range(settings.steps):
        drawn = torch.randint(len(data), (settings.batch_size,), generator=generator).tolist()
        batch = [Cells(*(part.to(device) for part in data[k])) for k in drawn]
        allowed = torch.cat([cells.allowed for cells in batch])
        known = allowed.any(dim=1)
        log_p = model(torch.cat([cells.features for cells in batch]).float()).log_softmax(dim=1)
        loss = -log_p.masked_fill(~allowed, IMPOSSIBLE).logsumexp(dim=1)[known].mean()
        if step > _ALONE * settings.steps:
            with torch.no_grad():
                parts = log_p.split([len(cells.allowed) for cells in batch])
                target = torch.cat(
                    [_target(p, cells, settings.tag_share) for p, cells in zip(parts, batch, strict=True)]
                )
                shares.lerp_(target.sum(dim=0) / target.sum().clamp_min(1), _SHARE_UPDATE)
                weight = shares.clamp_min(1e-4) ** -balance
                weight /= (weight * shares).sum()
            loss = loss - (target * weight * log_p.clamp_min(-20)).sum(dim=1)[known].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    return model.eval()


def _target(log_p: Tensor, cells: Cells, tag_share: float) -> Tensor:
    pull = tag_multipliers(log_p, cells.allowed, cells.inside, cells.required, tag_share)
    return tilted(log_p, cells.allowed, cells.inside, pull)


@torch.inference_mode()
def unsatisfied_tags(model: CellClassifier, data: Sequence[Cells], device: torch.device) -> list[float]:
    """For each class the share of its tags whose crop has no cell of the class; 0 for classes without a tag."""
    missed, tagged = (torch.zeros(data[0].allowed.shape[1]) for _ in range(2))
    for cells in data:
        logits = model(cells.features.to(device).float()).cpu()
        likely = logits.masked_fill(~cells.allowed, IMPOSSIBLE).argmax(dim=1)
        found = F.one_hot(likely, len(missed)) * cells.allowed.any(dim=1, keepdim=True)
        has = cells.inside @ found.float() > 0
        missed += (cells.required & ~has).sum(dim=0)
        tagged += cells.required.sum(dim=0)
    return (missed / tagged.clamp_min(1)).tolist()


@dataclass(frozen=True)
class _Predict:
    """Writes the seeds of one image."""

    read: _Reader
    classifiers: Sequence[CellClassifier]
    asked: Sequence[int]

    @torch.inference_mode()
    def __call__(self, image_id: str) -> Counter[str]:
        """Predict and write."""
        read, settings = self.read, self.read.settings
        image = read.job.images.image(image_id)
        small = read.small(image)
        found = read.features(small)[0]
        # As learning has seen them.
        flat = found.flatten(1).T.half().float()
        likely = self.classifiers[0](flat).softmax(dim=1)
        if self.asked:
            balanced = self.classifiers[1](flat).softmax(dim=1)
            asked = list(self.asked)
            likely[:, asked] = torch.maximum(likely, balanced)[:, asked]
        maps = likely.T.reshape(1, -1, *found.shape[-2:])
        size = image.shape[0], image.shape[1]
        maps = F.interpolate(maps, size, mode="bilinear", align_corners=False)[0]
        rows, columns = (np.arange(length) for length in size)
        allowed = (
            torch.from_numpy(read.allowed(image_id, rows, columns, void_too=True)).permute(2, 0, 1).to(maps.device)
        )
        maps *= allowed
        total = maps.sum(dim=0)
        if settings.diffusion.steps > 0:
            maps = diffuse(maps, allowed, (small[0] * 255).to(torch.uint8), settings.diffusion)
        best, labels = maps.max(dim=0)
        unsure = (total < settings.least_possible) | (best < settings.threshold * maps.sum(dim=0)) | (best <= 0)
        semantic: SemanticMap = labels.to(torch.uint8).masked_fill_(unsure, IGNORE).cpu().numpy()
        read.job.write(image_id, semantic)
        return Counter(images=1)
