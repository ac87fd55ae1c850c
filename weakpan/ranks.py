"""What the ranks of a job do together, wherever a Trainer may not be at hand."""

from __future__ import annotations

from typing import Any, TypeVar

import torch.distributed as dist

Value = TypeVar("Value")


def wait_for_all_ranks() -> None:
    """Block until every rank is here; returns at once outside a process group."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def gather_from_all_ranks(value: Value) -> list[Value]:
    """One value of each rank, in the order of the ranks, on every rank; must be called by all of them.

    Not for hooks of a prediction: Lightning skips those on a rank that has no image.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return gathered
