"""Number of cores and of threads that torch computes with on a CPU, and how these wait for each other.

OpenMP waits actively: after every layer of a network its threads spin until the last one is there. Where one of them
shares its core with another process, all burn theirs until that process has had its turn, and a neighbour that should
cost a share of the machine costs several times the time. So threads sleep while they wait, and one core is left to what
works beside the network (loaders, label making) and to neighbours. Libraries read the variables when they are imported:
nothing here may import torch.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

_THREADS = "OMP_NUM_THREADS"

_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""In the words of the standard, of GNU and of Intel."""

_OPENCV = "OPENCV_FOR_THREADS_NUM"

_QUOTA_V2 = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_V1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_PERIOD_V1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def share_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make threads of this process, and of those that it starts, wait asleep; what the user has set stays.

    Scripts call this before anything else, and `limit_threads` when they know how many ranks there will be.
    """
    if not any(name in environment for name in _WAITING):
        environment.update(_WAITING)
    # Work on images is shared over processes; threads within them would only get in each other's way.
    environment.setdefault(_OPENCV, "1")


def limit_threads(devices: object = 1, environment: MutableMapping[str, str] = os.environ) -> None:
    """Choose the number of threads of each rank, unless the user, or the launcher, has.

    Args:
        devices: `trainer.devices` as Lightning takes it: a number of ranks on this machine, or a list of devices.
        environment: is changed.
    """
    ranks = devices if isinstance(devices, int) else len(devices) if isinstance(devices, list | tuple) else 1
    environment.setdefault(_THREADS, str(threads_of_rank(available_cores(), max(1, ranks))))


def threads_of_rank(cores: int, ranks: int) -> int:
    """One less than a rank's share of the cores, and at least 1."""
    return max(1, cores // ranks - 1)


def available_cores() -> int:
    """Cores by affinity and by the quota of the control group, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, cores if quota is None else min(cores, int(quota)))


def _quota() -> float | None:
    """Cores' worth of time that the control group gives, None for no limit."""
    try:
        if _QUOTA_V2.is_file():
            quota, period = _QUOTA_V2.read_text().split()[:2]
        else:
            quota, period = _QUOTA_V1.read_text(), _PERIOD_V1.read_text()
        return float(quota) / float(period) if quota.strip() not in ("max", "-1") else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
