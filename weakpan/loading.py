"""Say that a command lives while its libraries are imported, which takes many seconds."""

from __future__ import annotations

import os
import sys

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""What torchrun, srun and Lightning call the number of a process."""

_AWAITED = "pytorch_lightning"


def say_loading() -> None:
    """Print a line on standard error, in the first process of a job, unless the libraries are there already."""
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    if rank == "0" and _AWAITED not in sys.modules:
        print("weakpan: loading", file=sys.stderr, flush=True)
