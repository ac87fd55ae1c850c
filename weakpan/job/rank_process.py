"""A further rank of a job on this machine: `python -m weakpan.job.rank_process`, started by rank 0 alone.

The composed configuration comes over standard input, so that every rank has the same one, in sweeps too.
"""

# Worker processes import this file again: whatever is heavy is imported only by the process that runs the loop.
from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    from omegaconf import OmegaConf

    from weakpan.config.train_checks import to_train_config
    from weakpan.job.run import run_job

    task = json.loads(sys.stdin.read())
    composed = OmegaConf.create(task["config"])
    run_job(to_train_config(composed), Path(task["folder"]), task["command"], task["parent"])
