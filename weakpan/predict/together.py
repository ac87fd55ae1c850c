"""What frames a prediction: all ranks in one process group, a lock on the folder, faults of the machine in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytorch_lightning as pl
from pytorch_lightning.strategies import ParallelStrategy
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from weakpan.basics.disk import as_machine_error
from weakpan.basics.errors import MachineError, WeakpanError
from weakpan.parallel.ranks import from_rank_zero, rank
from weakpan.storage.files import remove_temporaries


class Lock(Protocol):
    """The lock on a folder, see `weakpan.parallel.run_lock.RunLock`."""

    folder: Path

    @property
    def path(self) -> Path:
        """Its file, which stays."""
        ...

    def claim(self) -> str | None:
        """Take the folder, on rank 0; a warning where it cannot be locked, RunError where somebody else works."""
        ...

    def join(self, rank: int, /) -> None:
        """Hold it, too, on a further rank."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


def form_group(trainer: pl.Trainer) -> None:
    """Bring the ranks of a Trainer together now instead of in its first prediction.

    Ranks that decide by what lies on disk before they have met may look at different moments, and one would wait for
    ever for another that has found nothing to do.
    """
    strategy = trainer.strategy
    if isinstance(strategy, ParallelStrategy) and isinstance(strategy.launcher, _SubprocessScriptLauncher):
        strategy.launcher.launch(strategy.setup_environment)


@contextmanager
def holding(lock: Lock) -> Iterator[None]:
    """Hold the folder while the block runs; every rank of the group calls this.

    Raises:
        RunError: another command works on the folder.
        ToldByRankZero: the same, on the other ranks.
    """
    try:
        warning = from_rank_zero(lock.claim)
        if rank() > 0:
            lock.join(rank())
        elif warning is not None:
            print(f"warning: {warning}", flush=True)
        from_rank_zero(lambda: remove_temporaries(lock.folder))
        yield
    finally:
        lock.release()


@contextmanager
def naming_faults(out: Path) -> Iterator[None]:
    """Turn a fault of the machine into an error that says what to do.

    Args:
        out: where the block writes, for faults that do not name a file.

    Raises:
        MachineError: a disk that is full or broken, or too many open files; other errors stay as they are.
    """
    try:
        yield
    except MachineError:
        raise
    except (WeakpanError, OSError) as error:
        fault = as_machine_error(error, out)
        if fault is None:
            raise
        raise fault from error
