"""One job: all of its ranks, the lock on its run folder, the loop, and an end that tells what happened."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import torch
from omegaconf import OmegaConf

from weakpan.basics.console import PLAIN, log_to
from weakpan.basics.disk import fault_of_machine, in_words
from weakpan.basics.errors import STATUS_USER, MachineError, RunError, WeakpanError, one_line
from weakpan.config.train import RunConfig
from weakpan.job.plan import print_plan
from weakpan.make_gt.stages import make_stage
from weakpan.parallel.launch import one_process_group
from weakpan.parallel.ranks import (
    ToldByRankZero,
    enter_stage,
    from_rank_zero,
    gather_from_all_ranks,
    rank,
    wait_for_all_ranks,
    whereabouts,
)
from weakpan.parallel.run_lock import RunLock, holding
from weakpan.parallel.watch import GO_ON, STATUS_RANK_LOST, Watch
from weakpan.rounds import run_loop
from weakpan.stages.build import build_trainer, quieten_lightning
from weakpan.stages.checks import check_networks
from weakpan.stages.experiment import prepare
from weakpan.stages.settings import refuse_other_settings
from weakpan.storage.layout import RunLayout

log = logging.getLogger(__name__)


class Work(Enum):
    """Use of a job: the whole loop, or one stage of it."""

    loop = "loop"
    stage = "stage"


STATUS_FAULT = 1
"""Exit status after any other error."""


def run_job(work: Work, config: RunConfig, folder: Path, command: str, parent: int | None = None) -> Any:
    """Run the loop, or a stage of it, on as many ranks as the Trainer is configured for; every rank calls this.

    An error ends the process, on every rank, with a last line that names rank, stage and remedy. `command` started the
    job; `parent` is the process id of the rank that started this one, if one did. Returns what the work returns.
    """
    quieten_lightning()
    _forget_foreign_start_method()
    folder = folder.absolute()
    settings = OmegaConf.to_yaml(OmegaConf.structured(config))
    task = {"work": work.value, "config": settings, "folder": str(folder), "command": command, "parent": os.getpid()}
    watch = Watch(parent, on_requeue=_requeue)
    watch.start()
    try:
        trainer = build_trainer(config, RunLayout(folder), "start", [])
        with one_process_group(trainer, json.dumps(task), watch.children):
            result = _run_together(work, config, folder, command, watch)
        _finish_loggers()
        return result
    except Exception as error:
        # The ranks did not come together.
        _end(error, watch, folder)


def _forget_foreign_start_method() -> None:
    """Start processes as usual where a launcher of sweeps (joblib) has set a way that only its own processes know."""
    if multiprocessing.get_start_method(allow_none=True) not in (None, *multiprocessing.get_all_start_methods()):
        multiprocessing.set_start_method(None, force=True)


def _run_together(work: Work, config: RunConfig, folder: Path, command: str, watch: Watch) -> Any:
    try:
        watch.meet()
        result = _run(work, config, folder, command)
        # Rank 0 still writes the results, and the others still watch whether it lives.
        wait_for_all_ranks()
        watch.stop()
        # Nobody leaves before all have stopped watching.
        wait_for_all_ranks()
        return result
    except Exception as error:
        # While the process group still tells which rank this is; leaving it can hang after another rank has died.
        _end(error, watch, folder)


def _run(work: Work, config: RunConfig, folder: Path, command: str) -> Any:
    for k, other in enumerate(gather_from_all_ranks(str(folder))):
        if other != str(folder):
            raise RunError(
                f"rank {rank()} came to run folder {folder} and rank {k} to {other}; give all of them the same one "
                "with run=FOLDER"
            )
    enter_stage("prepare")
    from_rank_zero(lambda: refuse_other_settings(config, RunLayout(folder)))
    experiment = from_rank_zero(lambda: prepare(config, folder))
    from_rank_zero(lambda: check_networks(experiment))
    with holding(RunLock(folder), experiment.shares.shard):
        log_to(RunLayout(folder).log)
        if work is Work.loop:
            return run_loop(experiment, command, announce=print_plan)
        return make_stage(experiment)


def _end(error: Exception, watch: Watch, folder: Path) -> NoReturn:
    """Say what happened and end the process."""
    status = STATUS_USER
    if isinstance(error, ToldByRankZero):
        watch.leave_after_rank_zero(status)
    if isinstance(error, WeakpanError):
        where = "" if watch.alone and not isinstance(error, MachineError) else f"{whereabouts()}: "
        log.error("%s%s", where, one_line(str(error)))
    else:
        # Whoever waits for a rank that died fails, too; what ended that one is the news.
        watch.leave_if_rank_lost(patience=0.0 if watch.alone else 3.0)
        status, remedy = _remedy(error, folder)
        about = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
        what = f"{whereabouts()}: {about}{type(error).__name__}: {one_line(str(error))}"
        log.error("%s; %s", what, remedy, exc_info=error)
    if not watch.alone:
        watch.leave(status)
    sys.exit(status)


def _remedy(error: Exception, folder: Path) -> tuple[int, str]:
    """Exit status, and what to do about an error that the program did not foresee in its place."""
    text = str(error)
    if (fault := fault_of_machine(error)) is not None:
        what, remedy = in_words(fault, folder)
        return STATUS_USER, f"{what}: {remedy}; {GO_ON}"
    if isinstance(error, torch.OutOfMemoryError):
        return STATUS_USER, (
            "lower segmenter.crops.batch_size or classifier.crops.images_per_batch (settings of the run: in a new "
            f"folder) or use a larger device; {GO_ON}"
        )
    if isinstance(error, MemoryError) or ("DataLoader worker" in text and "killed" in text):
        return STATUS_USER, f"perhaps for want of memory: lower data.workers; {GO_ON}"
    if "find_unused_parameters" in text:
        return STATUS_USER, "a part of the network has no loss: add trainer.strategy.find_unused_parameters=true"
    if "Connection closed by peer" in text or "Connection reset by peer" in text or "Timed out" in text:
        return STATUS_RANK_LOST, f"contact to another rank is lost, see its messages; {GO_ON}"
    return STATUS_FAULT, f"after the fault is mended, {GO_ON}"


def _requeue() -> None:
    """Ask SLURM for the same job again, which goes on in the same run folder."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is not None:
        found = subprocess.run(["scontrol", "requeue", job], check=False, capture_output=True, text=True)
        outcome = "" if found.returncode == 0 else f" failed: {found.stderr.strip()}"
        log.warning("scontrol requeue %s%s", job, outcome, extra=PLAIN)


def _finish_loggers() -> None:
    # Otherwise the next job of a sweep would go on with this one's run.
    wandb = sys.modules.get("wandb")
    if wandb is not None:
        wandb.finish()
