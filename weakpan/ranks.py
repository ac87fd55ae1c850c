"""What the ranks of a job do together, wherever a Trainer may not be at hand."""

from __future__ import annotations

import torch.distributed as dist


def wait_for_all_ranks() -> None:
    """Block until every rank is here; returns at once outside a process group."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
