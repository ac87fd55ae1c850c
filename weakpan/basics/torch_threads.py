"""Threads of torch where several processes use it at once: networks, and labels cut from kept heatmaps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """One image a process; and sums in another order, as other numbers of threads make them, could change a result."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
