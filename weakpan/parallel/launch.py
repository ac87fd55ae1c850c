"""All ranks of a job in one process group before anything is decided or written.

Lightning's own launcher would start further processes only in the first fit, after the run folder has been claimed and
the data prepared; those would do all of it again. It also ends a job whose rank died without a word about the stage.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch.distributed as dist
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from pytorch_lightning.strategies import ParallelStrategy
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

_OURS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")

Children = dict[int, subprocess.Popen[bytes]]
"""Processes that this one started, by their local rank."""


@contextmanager
def one_process_group(trainer: pl.Trainer, task: str, children: Children) -> Iterator[None]:
    """Start the ranks that the Trainer's strategy asks for, and hold their process group while the block runs.

    Under torchrun, srun or any other launcher that Lightning knows the processes are there already. A strategy for one
    device has no group. Trainers that are built later join the group instead of launching processes themselves. After
    the block the environment is as it was before, so that the next job of a sweep starts its own ranks.

    Args:
        trainer: with the configured strategy and devices; only its strategy is used.
        task: what `weakpan.job.rank_process` is told on its standard input in processes that are started here.
        children: takes up these processes before the others are waited for.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, ParallelStrategy):
        yield
        return
    before = {name: os.environ.get(name) for name in _OURS}
    environment = strategy.cluster_environment
    assert environment is not None
    environment.validate_settings(trainer.num_devices, trainer.num_nodes)
    if not environment.creates_processes_externally:
        address = os.environ.get("MASTER_ADDR", "127.0.0.1")
        port = os.environ.get("MASTER_PORT") or str(find_free_network_port())
        world = str(trainer.num_devices * trainer.num_nodes)
        ours = (address, port, str(environment.node_rank()), "0", world)
        # With a local rank in the environment Lightning takes the processes for started by somebody else.
        os.environ.update(zip(_OURS, ours, strict=True))
        for rank in range(1, trainer.num_devices):
            children[rank] = _start(rank, task)
    try:
        strategy.setup_environment()
        yield
        for child in children.values():
            child.wait()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def form_group(trainer: pl.Trainer) -> None:
    """Bring the ranks of a Trainer together now instead of in its first prediction.

    Ranks that decide by what lies on disk before they have met may look at different moments, and one would wait for
    ever for another that has found nothing to do.
    """
    strategy = trainer.strategy
    if isinstance(strategy, ParallelStrategy) and isinstance(strategy.launcher, _SubprocessScriptLauncher):
        strategy.launcher.launch(strategy.setup_environment)


def _start(local_rank: int, task: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "LOCAL_RANK": str(local_rank), "PYTHONPATH": os.pathsep.join(paths)}
    # A seed that an earlier job of a sweep left behind is not this job's.
    environment.pop("PL_GLOBAL_SEED", None)
    child = subprocess.Popen([sys.executable, "-m", "weakpan.job.rank_process"], env=environment, stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(task.encode())
    child.stdin.close()
    return child
