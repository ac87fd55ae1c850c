"""A further rank of a job on this machine: `python -m weakpan.job.rank_process`, started by rank 0 alone.

The composed configuration comes over standard input, so that every rank has the same one, in sweeps too.
"""

# Worker processes import this file again: whatever is heavy is imported only by the process that runs the job.
from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    from omegaconf import OmegaConf

    from weakpan.basics.console import set_up_logging
    from weakpan.config.make_gt import to_make_gt_config
    from weakpan.config.train_checks import to_train_config

    task = json.loads(sys.stdin.read())
    composed = OmegaConf.create(task["config"])
    config = to_train_config(composed) if task["work"] == "loop" else to_make_gt_config(composed)
    # Libraries look, when they are imported, whether somebody has; and this is never the first rank.
    set_up_logging(lambda: 1, config.verbose, config.quiet)
    from weakpan.job.run import Work, run_job

    run_job(Work(task["work"]), config, Path(task["folder"]), task["command"], task["parent"])
