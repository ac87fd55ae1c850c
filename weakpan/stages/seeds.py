"""Stage: the seeds of every image, from whatever source the configuration names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from weakpan.basics.arrays import SemanticMap
from weakpan.callbacks.prediction_callback import ForEachPrediction
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.loaders.crop_datamodule import CropDataModule
from weakpan.parallel.ranks import gather_from_all_ranks, share_of_rank
from weakpan.parallel.sharing import Outcome, share
from weakpan.seeds.source import ExtraFiles, SeedJob
from weakpan.stages.build import build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.stages.run_stage import Results, run_stage
from weakpan.stages.settings import SEEDS, record_of
from weakpan.stages.trained_classifier import Load, find_classifier
from weakpan.storage.files import content_digest
from weakpan.storage.images import is_whole
from weakpan.storage.layout import RunLayout
from weakpan.storage.map_store import read_manifest
from weakpan.storage.stage_record import StageRecord
from weakpan.tasks.seeds import WriteSeeds, check_seed_input
from weakpan.tasks.stores import RunStores

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeedWork:
    """The seeds of some images: what `run_stage` asks for.

    A source may learn from all `ids`. The classifier is loaded once, if the source needs it.
    """

    experiment: Experiment
    record: StageRecord
    annotations: WeakAnnotations
    ids: Sequence[str]
    classifier: Load | None
    loggers: Sequence[Logger]

    def is_done(self, image_id: str) -> bool:
        """Whether the seeds of an image, and what the source keeps beside them, are there and whole."""
        extra = self._extra_files
        return is_whole(self.experiment.stores.seeds.path(image_id)) and (extra is None or extra.has(image_id))

    def files(self, image_id: str) -> list[Path]:
        """Files of an image."""
        extra = self._extra_files
        return [self.experiment.stores.seeds.path(image_id), *([] if extra is None else [extra.path(image_id)])]

    @property
    def _extra_files(self) -> ExtraFiles | None:
        return self.experiment.seeds.extra_files(self.experiment.stores.beside_seeds, self.experiment.catalog)

    @property
    def _trainer(self) -> Callable[..., pl.Trainer]:
        """A fresh Trainer, from a name for progress lines, callbacks, and arguments that override others."""
        layout = RunLayout(self.experiment.stores.folder)
        return partial(build_trainer, self.experiment.config, layout, loggers=self.loggers)

    def __call__(self, todo: Sequence[str]) -> Outcome:
        """Make the seeds of some images, each on one rank; called by all ranks, and returns the outcome of this one."""
        outcome = Outcome()
        # Nobody has looked yet whether the images of the released layout can be read.
        in_run = isinstance(self.experiment.stores, RunStores)
        failed = set[str]() if in_run else self._unreadable(todo, outcome)
        readable = [image_id for image_id in todo if image_id not in failed]
        if not readable:
            return outcome
        pl.seed_everything(self.experiment.config.seed, workers=True, verbose=False)
        ids = [image_id for image_id in self.ids if image_id not in failed]
        self.experiment.seeds.make(self._job(ids, readable, outcome))
        return outcome

    def _job(self, ids: Sequence[str], todo: Sequence[str], outcome: Outcome) -> SeedJob:
        source, stores, shares = self.experiment.seeds, self.experiment.stores, self.experiment.shares
        write = WriteSeeds(self.record, stores.seeds)

        def counted(image_id: str, values: SemanticMap) -> None:
            write(image_id, values)
            outcome.made += 1

        def each_image(make: Callable[[str], SemanticMap]) -> None:
            task = partial(write.made_by, make)
            done = share(task, share_of_rank(todo), shares.workers, SEEDS, shares.skip_failures)
            outcome.made += done.made
            outcome.failures += done.failures

        return SeedJob(
            images=self.experiment.train,
            annotations=self.annotations,
            ids=ids,
            todo=todo,
            write=counted,
            each_image=each_image,
            masks=stores.masks.read if source.needs_masks else None,
            heatmaps=partial(self._heatmaps, todo) if source.needs_classifier else None,
            trainer=self._trainer,
            extra=stores.beside_seeds,
            workers=shares.workers,
            seed=self.experiment.config.seed,
        )

    def _unreadable(self, todo: Sequence[str], outcome: Outcome) -> set[str]:
        """Images whose input cannot be read, on any rank; those of this one are its failures.

        Raises:
            DataError: there is such an image, and none is to be skipped.
        """
        shares, check = self.experiment.shares, partial(check_seed_input, self.experiment.train, self.annotations)
        found = share(check, share_of_rank(todo), shares.workers, f"input of {SEEDS}", shares.skip_failures)
        outcome.failures += found.failures
        return {image_id for part in gather_from_all_ranks(found.failures) for image_id, _ in part}

    def _heatmaps(
        self, todo: Sequence[str], scales: Sequence[float], flip: bool, take: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Grad-CAM of the classifier, see `weakpan.seeds.source.ClassifierHeatmaps`."""
        # Beside the Trainer only where it is needed.
        from weakpan.training.grad_cam_module import GradCamModule

        if self.classifier is None:
            raise AssertionError("the source needs a classifier, and whoever called the stage gave none")
        network, crops = self.classifier()
        config, images = self.experiment.config, self.experiment.train
        data = CropDataModule(images, self.annotations, crops, config.data.workers, config.seed, todo)
        # There may be more ranks than images.
        data.allow_zero_length_dataloader_with_multiple_devices = True
        trainer = self._trainer(SEEDS, [ForEachPrediction(take)], inference_mode=False)
        trainer.predict(GradCamModule(network, scales, flip), data, return_predictions=False)


def run_seeds(experiment: Experiment, ids: Sequence[str], loggers: list[Logger]) -> Outcome:
    """Make the seeds of all images and seal them; what is there is not made again.

    An interrupted stage goes on after its last whole map, as long as the classifier's weights are those of the others.

    Raises:
        DataError: a map that was changed since it was sealed, by name.
        RunError: the folder holds seeds of other settings.
    """
    weak, record = experiment.annotations.lazily(ids), seed_record(experiment)
    # Finished seeds outlive the weights that made them.
    needed = experiment.seeds.needs_classifier and (experiment.shares.remake or not record.is_sealed())
    classifier = find_classifier(experiment, weak.grid) if needed else None
    work = SeedWork(experiment, record, weak, ids, classifier, loggers)
    results = Results(record, work.is_done, work.files)
    outcome = run_stage(results, ids, work, experiment.shares, lambda _, made: {"seconds": made.seconds})
    if record.is_sealed():
        _say_what_is_not_kept(work, record)
    return outcome


def seed_record(experiment: Experiment) -> StageRecord:
    """Settings, inputs and seal of the stage."""
    inputs, stores = {}, experiment.stores
    if experiment.seeds.needs_classifier and isinstance(stores, RunStores):
        weights = stores.layout.classifier_weights
        path = stores.layout.stage(SEEDS) / "settings.json"
        if weights.is_file():
            inputs = {"classifier": content_digest([weights])}
        elif path.is_file():
            # The weights of finished seeds may be thrown away.
            inputs = read_manifest(path).get("inputs", {})
    return record_of(experiment, SEEDS, inputs=inputs)


@rank_zero_only
def _say_what_is_not_kept(work: SeedWork, record: StageRecord) -> None:
    """Sealed seeds are not made again, not even for files beside them that were not asked for in time."""
    missing = [path for image_id in work.ids for path in work.files(image_id)[1:] if not path.is_file()]
    if missing:
        log.warning(
            "seeds of this run are finished, and %s (%d files) was not kept; delete %s and start the same command "
            "again: it makes the seeds anew, and those files with them",
            missing[0],
            len(missing),
            record.manifest_path,
        )
