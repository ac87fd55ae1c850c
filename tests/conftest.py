"""What all tests share."""

import os

import pytest

# Read when torch is imported, here and in every process that tests start: for images of a few pixels two threads take
# longer than one, and one adds up in the same order on every machine.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share the files of the whole suite over the cores, where pytest-xdist is installed and nobody asked otherwise.

    Not those of a few files, for every process imports torch first, nor the slow tests, which keep the cores busy by
    themselves. A file stays in one process, so that what its tests share is made once.
    """
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS and config.option.markexpr == "not slow"
    if whole and getattr(config.option, "numprocesses", 0) is None and "PYTEST_XDIST_WORKER" not in os.environ:
        config.option.numprocesses = min(os.cpu_count() or 1, 4)
        config.option.dist = "loadfile"


@pytest.fixture
def seeded() -> None:
    """Random weights are the same in every test."""
    import torch

    torch.manual_seed(0)
