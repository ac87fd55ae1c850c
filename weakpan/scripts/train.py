"""Run the whole loop: `train.py [KEY=VALUE ...]`; the keys are in conf/train.yaml."""

# Worker processes import this file again: whatever is heavy is imported only by the process that runs the loop.
from __future__ import annotations

import os

import hydra
from omegaconf import DictConfig

from weakpan.config.location import conf_folder


@hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")
def main(composed: DictConfig) -> float | None:
    """Compose, check, run; returns the figure that sweeps optimise."""
    from weakpan.basics.console import say_loading, set_up_logging
    from weakpan.basics.errors import WeakpanError, exit_with
    from weakpan.config.command_line import typed_command
    from weakpan.config.sweeps import folder_of_job
    from weakpan.config.train_checks import to_train_config
    from weakpan.parallel.ranks import rank
    from weakpan.parallel.threads import limit_threads

    try:
        config = to_train_config(composed)
    except WeakpanError as error:
        exit_with(error)
    set_up_logging(rank, config.verbose, config.quiet)
    limit_threads(config.trainer.get("devices"))
    # Seconds pass before these are there: what is wrong with the command line is told before.
    say_loading()
    from weakpan.job.run import Work, run_job
    from weakpan.stages.report import metric_named

    return metric_named(config.metric, run_job(Work.loop, config, folder_of_job(config.run), typed_command()))


def start() -> None:
    """Run the command that the command line holds."""
    from weakpan.parallel.threads import share_cores

    share_cores()
    from weakpan.config.command_line import run_command
    from weakpan.config.compose import register
    from weakpan.config.run_name import job_stamp
    from weakpan.config.train import TrainConfig

    # One run folder for all processes of a job, which compose the configuration each for itself.
    os.environ.setdefault("WEAKPAN_STAMP", job_stamp())
    register("train_schema", TrainConfig)
    run_command(main)


if __name__ == "__main__":
    start()
