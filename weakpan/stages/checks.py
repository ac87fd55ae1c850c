"""Networks and other objects that need torch, built once for their errors, before anything is written."""

from __future__ import annotations

from weakpan.stages.build import build_classifier, build_segmenter, check_module_objects
from weakpan.stages.experiment import Experiment
from weakpan.stages.settings import SEEDS
from weakpan.stages.trained_classifier import find_classifier
from weakpan.tasks.stores import RunStores


def check_networks(experiment: Experiment) -> None:
    """Build both networks; raises WeakpanError for what is wrong with their settings and initial weights."""
    config, catalog = experiment.config, experiment.catalog
    check_module_objects(config)
    if not isinstance(experiment.stores, RunStores):
        # The released layout has no place for them: networks come from elsewhere.
        return
    if experiment.layout.round(0).checkpoint.is_file():
        return
    build_segmenter(config.segmenter, catalog)
    if config.classifier_from is not None and not experiment.stores.record(SEEDS, {}).is_sealed():
        find_classifier(experiment, experiment.annotations.grid)
    if experiment.config.needs_classifier and not experiment.layout.classifier_weights.is_file():
        build_classifier(config.classifier, catalog)
