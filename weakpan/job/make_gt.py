"""make_gt.py: one stage, by workers alone or, where it needs a network, as a job like that of train.py."""

from __future__ import annotations

from pathlib import Path

from weakpan.basics.console import log_to
from weakpan.basics.disk import naming_faults
from weakpan.config.make_gt import MakeGtConfig
from weakpan.make_gt.stages import Failures, make_stage, needs_networks
from weakpan.parallel.run_lock import RunLock, holding
from weakpan.stages.experiment import prepare
from weakpan.stages.settings import refuse_other_settings
from weakpan.storage.layout import RunLayout


def make_gt(config: MakeGtConfig, command: str) -> Failures:
    """Run the configured stage.

    Returns:
        Image id and message of the images that could not be done; empty unless they are to be skipped.

    Raises:
        ConfigError: values that do not go together.
        DataError: missing or damaged input.
        RunError: the folder holds results made with other settings, or cannot be written to.
    """
    folder = Path(config.run).absolute()
    if needs_networks(config):
        # Seconds pass before these are there; the other stages are spared them.
        from weakpan.basics.console import say_loading

        say_loading()
        from weakpan.job.run import Work, run_job

        failures: Failures = run_job(Work.stage, config, folder, command)
        return failures
    with naming_faults(folder):
        if not config.released:
            refuse_other_settings(config, RunLayout(folder))
        experiment = prepare(config, folder)
        with holding(RunLock(folder), config.part):
            log_to(RunLayout(folder).log)
            return make_stage(experiment)
