"""Make one stage alone: `make_gt.py stage=NAME run=FOLDER [KEY=VALUE ...]`; the keys are in conf/make_gt.yaml."""

# Worker processes import this file again: whatever is heavy is imported only by the process that shares the work.
from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from weakpan.config.location import conf_folder

SKIPPED: list[tuple[str, str]] = []
"""Images that could not be done, of all jobs of a sweep: leaving some out must not keep the next job from running."""


@hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="make_gt")
def main(composed: DictConfig) -> None:
    """Compose, check, run the stage; list what could not be done."""
    from weakpan.basics.console import set_up_logging
    from weakpan.basics.errors import WeakpanError, exit_with, print_skipped
    from weakpan.config.command_line import typed_command
    from weakpan.config.make_gt import to_make_gt_config
    from weakpan.job.make_gt import make_gt
    from weakpan.parallel.ranks import rank
    from weakpan.parallel.threads import limit_threads

    try:
        config = to_make_gt_config(composed)
        set_up_logging(rank, config.verbose, config.quiet)
        limit_threads(config.trainer.get("devices"))
        failures = make_gt(config, typed_command())
    except WeakpanError as error:
        exit_with(error)
    print_skipped(failures)
    SKIPPED.extend(failures)


def start() -> None:
    """Run the command that the command line holds."""
    from weakpan.parallel.threads import share_cores

    share_cores()
    from weakpan.basics.errors import STATUS_SKIPPED
    from weakpan.config.command_line import run_command
    from weakpan.config.compose import register
    from weakpan.config.make_gt import MakeGtConfig

    register("make_gt_schema", MakeGtConfig)
    run_command(main)
    if SKIPPED:
        sys.exit(STATUS_SKIPPED)


if __name__ == "__main__":
    start()
