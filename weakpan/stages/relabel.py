"""Stage: predict the training images and make the labels of the next round."""

from __future__ import annotations

from collections.abc import Sequence

from pytorch_lightning.loggers import Logger

from weakpan.callbacks.write_labels import WriteLabels
from weakpan.config.modules import segmenter_crops
from weakpan.data.loaders.panoptic_datamodule import PanopticDataModule, WholeImages
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import PseudoLabels
from weakpan.labels.rule import CANDIDATES
from weakpan.labels.trail import AuditTrail
from weakpan.parallel.sharing import Outcome
from weakpan.stages.build import build_trainer
from weakpan.stages.experiment import Experiment
from weakpan.stages.labels import join_labels, label_inputs, label_record, label_writer
from weakpan.stages.run_stage import Results, run_stage
from weakpan.storage.files import content_digest
from weakpan.training.segmenter_module import SegmenterModule


def relabel(experiment: Experiment, module: SegmenterModule, next_round: int, loggers: list[Logger]) -> Outcome:
    """Make the labels of the next round with the segmenter of the one before; what is sealed is not made again.

    An interrupted stage goes on after its last whole labels, as long as the segmenter's weights are the same.
    """
    config, weak, rules = experiment.config, experiment.weak, experiment.rules
    checkpoint = experiment.layout.round(next_round - 1).checkpoint
    ids = experiment.weak_ids
    writer = label_writer(experiment, next_round, ids)
    inputs = {"weights": content_digest([checkpoint]), **label_inputs(experiment, next_round)}
    record = label_record(experiment, next_round, inputs)
    outcome = Outcome()

    def write(inp: LabelInput, labels: PseudoLabels, trail: AuditTrail | None) -> None:
        record.claim()
        outcome.counts.update(writer.write(inp.annotation.image_id, (inp, labels, trail)))
        outcome.made += 1

    def work(todo: Sequence[str]) -> Outcome:
        needs_candidates = CANDIDATES in rules.needs(next_round)
        scale = segmenter_crops(config.segmenter).scale
        images = WholeImages(experiment.train, todo, scale, weak if needs_candidates else None, semantic_only=True)
        stores = experiment.stores
        callback = WriteLabels(write, rules, stores.masks.read, experiment.seed_map, weak, next_round, config.audit)
        trainer = build_trainer(config, experiment.layout, f"round {next_round - 1} relabel", [callback], loggers)
        data = PanopticDataModule(None, images, 1, config.data.workers, config.seed)
        trainer.predict(module, data, return_predictions=False)
        return outcome

    done = run_stage(Results(record, writer.is_done, writer.files), ids, work, experiment.shares)
    join_labels(experiment, writer, record, ids)
    return done
