"""What the ranks of a job do together, wherever a Trainer may not be at hand.

Outside a process group everything here works at once, as for a group of one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Value = TypeVar("Value")


class ToldByRankZero(Exception):  # noqa: N818 - what failed, failed on rank 0, which says so itself
    """Raised on the other ranks when rank 0 could not do what they wait for."""


class _Here:
    """What this process is doing, for messages from wherever it fails."""

    stage = "start"


def enter_stage(name: str) -> None:
    """Remember the stage that this process is in, for `whereabouts`."""
    _Here.stage = name


def whereabouts() -> str:
    """`rank 1 of 2, stage 'round 0 fit'`; without the rank where there is only one."""
    of_rank = f"rank {rank()} of {world()}, " if world() > 1 else ""
    return f"{of_rank}stage '{_Here.stage}'"


def _group() -> Any:
    """torch.distributed where there is a process group; None where there is none, nobody having imported torch."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_available() and dist.is_initialized() else None


def rank() -> int:
    """Number of this process in its job, from 0."""
    dist = _group()
    return int(dist.get_rank()) if dist is not None else 0


def world() -> int:
    """Number of processes of the job."""
    dist = _group()
    return int(dist.get_world_size()) if dist is not None else 1


def wait_for_all_ranks() -> None:
    """Block until every rank is here."""
    dist = _group()
    if dist is not None:
        dist.barrier()


def share_of_rank(items: Sequence[Value]) -> list[Value]:
    """Every `world`-th item, beginning with this rank's number: no item twice, none left out."""
    return list(items[rank() :: world()])


def from_rank_zero(make: Callable[[], Value]) -> Value:
    """What rank 0 makes or finds on disk, on every rank; must be called by all of them.

    Decisions by what lies on disk go through here: another rank may look a moment later, or through the stale cache of
    a network file system, and would enter another stage.

    Args:
        make: called on rank 0 alone; its value travels pickled.

    Raises:
        Exception: on rank 0, whatever `make` raises.
        ToldByRankZero: on the other ranks, when `make` failed.
    """
    dist = _group()
    if dist is None:
        return make()
    told: list[Any] = [None, None]
    failure: Exception | None = None
    if rank() == 0:
        try:
            told = [make(), None]
        except Exception as error:
            failure, told = error, [None, f"{type(error).__name__}: {error}"]
    dist.broadcast_object_list(told, src=0)
    if failure is not None:
        raise failure
    if told[1] is not None:
        raise ToldByRankZero(told[1])
    value: Value = told[0]
    return value


def gather_from_all_ranks(value: Value) -> list[Value]:
    """One value of each rank, in the order of the ranks, on every rank; must be called by all of them.

    Not for hooks of a prediction: Lightning skips those on a rank that has no image.
    """
    dist = _group()
    if dist is None:
        return [value]
    gathered: list[Any] = [None] * world()
    dist.all_gather_object(gathered, value)
    return gathered
