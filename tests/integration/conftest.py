"""One tiny run of train.py for all tests that need a finished one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of `train.py debug=fast`: 2 rounds, 4 validation images; its data set lies beside it in `data`.

    Trained for longer than that, because a network of one epoch may see a single class everywhere.

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
