"""Runs that are finished, for all tests that need one; what makes them is imported by nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set of `loop_in_process.TINY`; tests that change it work on a copy."""
    from tests.integration.loop_in_process import toy_city

    return toy_city(tmp_path_factory.mktemp("city") / "data")


@pytest.fixture(scope="session")
def city(tiny_city: Path) -> Path:
    """The same, where a file has no other one."""
    return tiny_city


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, tiny_city: Path) -> tuple[Path, dict[str, Any]]:
    """Folder and metrics of a finished run of two rounds by one process, this one; tests work on copies."""
    from tests.integration.loop_in_process import run_tiny

    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, run_tiny(folder, tiny_city)


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a stage are forked from the process of `scripts.py`, where fresh ones would import torch first."""
    import weakpan.parallel.sharing
    from tests.integration.scripts import CONTEXT

    monkeypatch.setattr(weakpan.parallel.sharing, "get_context", lambda _: CONTEXT)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of `train.py debug=fast`, started as a user starts it: 2 rounds, 4 validation images.

    Its data set lies beside it in `data`. Trained for longer than that, because a network of one epoch may see a
    single class everywhere.

    Tests must leave it as it is; those that change something work on a copy.
    """
    folder = tmp_path_factory.mktemp("tiny")
    run = folder / "run"
    command = [
        sys.executable,
        "train.py",
        "debug=fast",
        f"run={run}",
        f"data.root={folder / 'data'}",
        "rounds.epochs=3",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return run
