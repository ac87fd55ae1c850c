"""What keeps a network waiting is done behind it, where that gains time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytorch_lightning as pl
import torch

from weakpan.parallel.threads import available_cores

AHEAD = 2
"""Jobs that may wait for the thread: enough to even out their lengths, few enough to hold in memory."""


class Background:
    """A thread that does jobs one after another, in the order in which they were given.

    Torch computes in this thread alone, without further ones of its own.
    """

    def __init__(self) -> None:
        self._jobs: deque[Future[None]] = deque()
        threads = torch.get_num_threads()
        self._thread = ThreadPoolExecutor(1, "background")
        self._thread.submit(_compute_alone).result()
        # The setting is a thread's own, and that of threads to come.
        torch.set_num_threads(threads)

    def submit(self, job: Callable[[], None]) -> None:
        """Give the thread a job, after waiting for room; raises whatever an earlier job raised."""
        while self._jobs and (len(self._jobs) > AHEAD or self._jobs[0].done()):
            self._jobs.popleft().result()
        self._jobs.append(self._thread.submit(job))

    def finish(self) -> None:
        """Wait for all jobs and end the thread; raises what a job raised, and drops those behind it."""
        try:
            while self._jobs:
                self._jobs.popleft().result()
        finally:
            self.drop()

    def drop(self) -> None:
        """End the thread after the job that it is at; those that wait are not done."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _compute_alone() -> None:
    # Asking sets a new thread up, which would undo the setting later.
    torch.get_num_threads()
    torch.set_num_threads(1)


def gains_time(trainer: pl.Trainer) -> bool:
    """Whether a thread beside the network finds a core, or the network runs on a GPU.

    On a CPU that the network has to itself the two would only take it from each other: torch's threads wait for each
    other after every layer, so that one that must share its core holds up all.
    """
    device = trainer.strategy.root_device.type
    if device != "cpu":
        # Only of CUDA is it known that two threads may use it at a time.
        return device == "cuda"
    return torch.get_num_threads() * trainer.num_devices < available_cores()
