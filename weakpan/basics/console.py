"""Durations as people read them."""

from __future__ import annotations

import os
import sys


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""What torchrun, srun and Lightning call the number of a process."""

_AWAITED = "pytorch_lightning"


def say_loading() -> None:
    """Print a line on standard error, in the first process of a job, unless the libraries are there already."""
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    if rank == "0" and _AWAITED not in sys.modules:
        print("weakpan: loading", file=sys.stderr, flush=True)
