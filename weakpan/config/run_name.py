"""The name of a run folder that nobody named: the same in every process of a job."""

from __future__ import annotations

import os
import time
from datetime import timedelta


def job_stamp() -> str:
    """Date and time of the job's start; under SLURM the number of the job, which it keeps when it is queued again.

    Processes that torchrun started take it from the first of them to ask, through the store that they meet in. With
    other launchers each process reads its own clock, and `run=FOLDER` has to say which folder is meant.
    """
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return _agreed_on(now)
    return f"slurm_{os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else now


def _agreed_on(proposal: str) -> str:
    # Heavy, and needed under torchrun alone.
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=timedelta(minutes=5))
    return bytes(store.compare_set("weakpan/stamp", "", proposal)).decode()
