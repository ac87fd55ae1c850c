"""Samplers whose order depends on seed and epoch alone, not on workers; each rank gets its share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Shuffled (epoch, index) pairs.

    The epoch travels with the index so that augmentation can be seeded by (seed, epoch, index): the same sample then
    looks the same for any number of workers and after a resume. Ranks take every world-th index; the end is filled up
    from the start so that all ranks take the same number of steps.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.length, self.seed, self.rank, self.world = length, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs of this rank."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(self.length, generator=generator).tolist()
        # Around again and again, because there may be more ranks than indices.
        positions = range(self.rank, len(self) * self.world, self.world)
        return iter([(self.epoch, order[position % self.length]) for position in positions])

    def __len__(self) -> int:
        """Number of pairs on each rank."""
        return -(-self.length // self.world)
