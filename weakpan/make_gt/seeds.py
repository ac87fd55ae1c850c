"""Stage `seeds` of make_gt.py: what `weakpan.stages.seeds` needs, from its configuration."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakpan.config.data import OnError
from weakpan.config.make_gt import MakeGtConfig
from weakpan.config.objects import build
from weakpan.data.annotations import ImageAnnotation, WeakAnnotations
from weakpan.data.formats.released import ReleasedTree
from weakpan.data.image_tree import CityscapesSplit
from weakpan.parallel.cores import available_cores
from weakpan.parallel.sharing import Outcome
from weakpan.seeds.source import SeedSource
from weakpan.stages.build import quieten_lightning
from weakpan.stages.earlier_classifier import find_classifier
from weakpan.stages.plain_trainer import plain_trainer
from weakpan.stages.run_stage import Shares
from weakpan.stages.seed_places import ReleasedSeeds
from weakpan.stages.seeds import SeedWork
from weakpan.tasks.claim import Claim
from weakpan.tasks.weak_source import WeakSource


class LazyAnnotations(Mapping[str, ImageAnnotation]):
    """Annotations that are read when they are asked for, so that memory does not grow with their number."""

    def __init__(self, weak: WeakSource, ids: Sequence[str]) -> None:
        self.weak, self.ids = weak, tuple(ids)

    def __getitem__(self, image_id: str) -> ImageAnnotation:
        """Boxes and tags of one image; raises DataError."""
        return self.weak.annotation(image_id, None, with_tags=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class SeedInputs:
    """What the seeds of an image need, and whether they are there.

    Attributes:
        weak: boxes and tags.
        work: of the stage.
    """

    weak: WeakSource
    work: SeedWork

    def missing(self, image_id: str) -> Path | None:
        """A file that is needed and not there."""
        return (
            self.weak.maps.missing_photograph(image_id)
            or self.weak.missing_boxes(image_id)
            or self.weak.missing_tags(image_id)
        )

    def is_done(self, image_id: str) -> bool:
        """Whether the seeds are there and whole."""
        return self.work.is_done(image_id)

    def __call__(self, image_id: str) -> Counter[str]:
        """Not for single images: see `make_seeds`."""
        raise NotImplementedError(image_id)


def seed_inputs(
    config: MakeGtConfig,
    weak: WeakSource,
    images: CityscapesSplit,
    ids: Sequence[str],
    results: ReleasedTree,
    claim: Claim,
) -> SeedInputs:
    """The stage with its inputs, for the images of some ids.

    Raises:
        RunError: a classifier that is not there or does not fit.
    """
    source, workers = build(SeedSource, config.seeds, "seeds"), config.workers or available_cores()
    classifier = None
    if source.needs_classifier:
        classifier = find_classifier(Path(str(config.source.checkpoint)), results.catalog, weak.grid).load
    work = SeedWork(
        source=source,
        place=ReleasedSeeds(results),
        images=images,
        annotations=WeakAnnotations(results.catalog, weak.grid, LazyAnnotations(weak, ids)),
        ids=ids,
        trainer=plain_trainer,
        claim=claim,
        classifier=classifier,
        masks=results.masks,
        shares=Shares(workers, config.part, config.on_error is OnError.skip),
        loaders=workers if len(ids) > workers else 0,
    )
    return SeedInputs(weak, work)


def make_seeds(inputs: SeedInputs, part: Sequence[str]) -> Outcome:
    """Make the seeds of some images; those that are there and whole are kept."""
    quieten_lightning()
    start = time.monotonic()
    todo = [image_id for image_id in part if not inputs.is_done(image_id)]
    outcome = inputs.work(todo) if todo else Outcome()
    outcome.kept, outcome.seconds = len(part) - len(todo), round(time.monotonic() - start, 1)
    return outcome
