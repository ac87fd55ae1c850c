"""Predict images with a trained model: `predict.py run=FOLDER input=FOLDER out=FOLDER [KEY=VALUE ...]`.

The keys are in conf/predict.yaml.
"""

# Worker processes import this file again: whatever is heavy is imported only by the process that predicts.
from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from weakpan.config.location import conf_folder

SKIPPED: list[tuple[str, str]] = []
"""Images that could not be read and were left out."""


@hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="predict")
def main(composed: DictConfig) -> None:
    """Compose, check, predict; list what was left out."""
    from weakpan.basics.console import say_loading, set_up_logging
    from weakpan.basics.errors import STATUS_USER, WeakpanError, exit_with, print_skipped
    from weakpan.config.predict import to_predict_config
    from weakpan.parallel.ranks import rank
    from weakpan.parallel.threads import limit_threads

    try:
        config = to_predict_config(composed)
    except WeakpanError as error:
        exit_with(error)
    set_up_logging(rank, config.verbose, config.quiet)
    limit_threads(config.trainer.get("devices"))
    # Seconds pass before these are there: what is wrong with the command line is told before.
    say_loading()
    from pytorch_lightning.utilities import rank_zero_only

    from weakpan.parallel.ranks import ToldByRankZero
    from weakpan.predict.run import predict
    from weakpan.stages.build import quieten_lightning

    quieten_lightning()
    try:
        failures = predict(config)
    except ToldByRankZero:
        sys.exit(STATUS_USER)
    except WeakpanError as error:
        exit_with(error)
    rank_zero_only(print_skipped)(failures)
    SKIPPED.extend(failures)


def start() -> None:
    """Run the command that the command line holds."""
    from weakpan.parallel.threads import share_cores

    share_cores()
    from weakpan.basics.errors import STATUS_SKIPPED
    from weakpan.config.command_line import run_command
    from weakpan.config.compose import register
    from weakpan.config.predict import PredictConfig

    register("predict_schema", PredictConfig)
    run_command(main)
    if SKIPPED:
        sys.exit(STATUS_SKIPPED)


if __name__ == "__main__":
    start()
