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
    from weakpan.job.run import Work, run_job
    from weakpan.parallel.ranks import rank

    task = json.loads(sys.stdin.read())
    work, composed = Work(task["work"]), OmegaConf.create(task["config"])
    config = to_train_config(composed) if work is Work.loop else to_make_gt_config(composed)
    set_up_logging(rank, config.verbose, config.quiet)
    run_job(work, config, Path(task["folder"]), task["command"], task["parent"])
