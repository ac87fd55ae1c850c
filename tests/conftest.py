"""What all tests share."""

import os

import pytest

# Read when torch is imported, here and in every process that tests start: for images of a few pixels two threads take
# longer than one, and one adds up in the same order on every machine.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def seeded() -> None:
    """Random weights are the same in every test."""
    import torch

    torch.manual_seed(0)
