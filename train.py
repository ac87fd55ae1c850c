"""Run the whole loop: `python train.py [KEY=VALUE ...]`; the keys are in conf/train.yaml."""

# Worker processes import this file again: whatever is heavy is imported only by the process that runs the loop.
from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(composed: DictConfig) -> float | None:
    """Compose, check, run; returns the figure that sweeps optimise."""
    from weakpan.config.train_checks import to_train_config
    from weakpan.errors import WeakpanError, one_line
    from weakpan.plan import print_plan
    from weakpan.results import metric_named
    from weakpan.rounds import run_loop
    from weakpan.stages.build import quieten_lightning
    from weakpan.stages.experiment import prepare

    quieten_lightning()
    try:
        config = to_train_config(composed)
        experiment = prepare(config, Path(HydraConfig.get().runtime.output_dir))
        print_plan(experiment)
        metrics = run_loop(experiment, shlex.join(["train.py", *sys.argv[1:]]))
        return metric_named(config.metric, metrics)
    except WeakpanError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    from weakpan.config.compose import register
    from weakpan.config.train import TrainConfig

    # One stamp for all processes of a job: children that Lightning starts compose the configuration again and must
    # come to the same run folder.
    os.environ.setdefault("WEAKPAN_STAMP", time.strftime("%Y-%m-%d_%H-%M-%S"))
    register("train_schema", TrainConfig)
    main()
