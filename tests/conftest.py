"""What all tests share."""

import os

import pytest

from weakpan.basics.console import set_up_logging

# Read when torch is imported, here and in every process that tests start: for images of a few pixels two threads take
# longer than one, and one adds up in the same order on every machine.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def _spoken() -> None:
    """What the package logs is printed, as the scripts have it; commands in a test's own process may change that."""
    set_up_logging(lambda: 0)


@pytest.fixture
def seeded() -> None:
    """Random weights are the same in every test."""
    import torch

    torch.manual_seed(0)
