"""Kill a job of several ranks again and again, go on with the same command, and hold the result to an undisturbed run.

    python benchmarks/fault_campaign.py --kills 50 [--seed 0] [--ranks 2] [--folder FOLDER] [KEY=VALUE ...]

The job is a tiny run of train.py with gloo on the CPU. Each kill is SIGKILL or SIGTERM to one rank or to all, at a
random moment of the start or of the work. When a run is finished in spite of its kills, its maps, weights and figures
are compared with those of the undisturbed run, bit by bit, and another run begins, until enough kills have been made.
The moments are drawn from the seed; what they hit depends on the machine.

Exit status 1: a difference, a process that outlived its job, or a job that failed by itself. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

ROOT = Path(__file__).resolve().parents[1]
TINY = (
    "debug=fast", "trainer=ddp", "trainer.accelerator=cpu", "workers=1", "rounds.n=2", "rounds.epochs=3",
    "classifier.epochs=2", "data.toy.height=64", "data.toy.width=96", "data.toy.train=6", "data.toy.val=3",
    "data.crop.height=40", "data.crop.width=60", "segmenter.crops.height=48", "segmenter.crops.width=48",
    "segmenter.crops.batch_size=2", "classifier.crops.images_per_batch=1",
)  # fmt: skip
PROGRESS = re.compile(r"((?:annotations|masks|classifier|seeds|labels|round|gallery)[^:]*):")
PATIENCE = 60.0
"""Seconds that a job may take to end after a kill, and its processes to go after it."""


@dataclass
class Tally:
    """What happened so far."""

    kills: int = 0
    restarts: int = 0
    runs_compared: int = 0
    how: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    slowest_end: float = 0.0
    hangs: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


class Job:
    """One start of train.py, followed line by line."""

    def __init__(self, command: list[str]) -> None:
        self.lines: list[str] = []
        self.steps = 0
        environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "RANK", "WORLD_SIZE")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.started = time.monotonic()
        self.worked = 0.0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self.steps += bool(PROGRESS.match(line))
            if line.startswith("plan:"):
                self.worked, self.steps = time.monotonic(), 1

    def tree(self) -> list[psutil.Process]:
        """Rank 0, then the further ranks, then whatever else they started."""
        try:
            main = psutil.Process(self.process.pid)
            below = main.children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [main, *sorted(below, key=lambda p: not is_rank(p))]

    def stage(self) -> str:
        """Of the last line that names one."""
        for line in reversed(self.lines):
            named = re.search(r"stage '([^']+)'", line) or PROGRESS.match(line)
            if named:
                return re.sub(r" of rank \d+", "", named[1])
        return "prepare" if self.worked else "start"


def is_rank(process: psutil.Process) -> bool:
    """Whether a process is a further rank of the job."""
    try:
        return "weakpan.job.rank_process" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def strike(job: Job, rng: random.Random, span: tuple[float, int], tally: Tally) -> bool:
    """Wait for a random moment and kill; False when the job was done before."""
    start_up, lines = span
    number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    whom = rng.choice(["rank 0", "rank 1", "all ranks"])
    if rng.random() < 0.15:
        moment = job.started + rng.uniform(0.2, start_up)
    else:
        # By progress and not by time alone, because some stages take long and others no time. What is left is less
        # after each kill.
        steps, delay = rng.randint(0, lines // 2), rng.uniform(0, 0.8)
        while job.steps < steps and job.process.poll() is None:
            time.sleep(0.005)
        moment = time.monotonic() + delay
    while time.monotonic() < moment:
        if job.process.poll() is not None:
            return False
        time.sleep(0.01)
    tree = job.tree()
    ranks = [tree[0], *filter(is_rank, tree[1:])] if tree else []
    victims = {"rank 0": ranks[:1], "rank 1": ranks[1:2] or ranks[:1], "all ranks": ranks}[whom]
    if not victims or job.process.poll() is not None:
        return False
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
    begun = time.monotonic()
    # Rank 0 is waited for through its Popen, which alone may learn its status.
    with contextlib.suppress(subprocess.TimeoutExpired):
        job.process.wait(PATIENCE)
    _, alive = psutil.wait_procs([p for p in tree[1:] if p.is_running()], timeout=PATIENCE)
    if job.process.poll() is None:
        alive.append(tree[0])
    took = time.monotonic() - begun
    tally.kills += 1
    tally.how[f"{number.name} to {whom}"] += 1
    tally.stages[job.stage()] += 1
    tally.slowest_end = max(tally.slowest_end, round(took, 1))
    what = f"{number.name} to {whom} in {job.stage()!r}"
    if alive:
        tally.hangs.append(f"{what}: {len(alive)} processes left after {PATIENCE} s")
        for process in alive:
            process.kill()
    print(f"kill {tally.kills}: {what}, gone after {took:.1f} s; {last_words(job)}", flush=True)
    return True


def last_words(job: Job) -> str:
    """Status and last line of a job that is over."""
    status = job.process.wait(PATIENCE)
    job._reader.join(10)
    return f"status {status}: {job.lines[-1][:160] if job.lines else ''}"


def finish_run(command: list[str], rng: random.Random, span: tuple[float, int], tally: Tally, most: int) -> bool:
    """Start, kill, start again, until the run is finished; True if it could be."""
    while True:
        job = Job(command)
        if tally.kills < most and strike(job, rng, span, tally):
            tally.restarts += 1
            continue
        try:
            if job.process.wait(900) == 0:
                return True
        except subprocess.TimeoutExpired:
            tally.hangs.append(last_words(job))
            for process in job.tree():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return False
        tally.failures.append(last_words(job))
        print("\n".join(["failed by itself:", *job.lines[-30:]]), flush=True)
        return False


def results(run: Path) -> dict[str, Any]:
    """What must not depend on kills: maps and annotations as bytes, weights, and figures without times."""
    patterns = ("masks/*", "seeds/*.png", "round_*/labels/*", "weak_annotations.json")
    files = {str(p.relative_to(run)): p.read_bytes() for pattern in patterns for p in run.glob(pattern) if p.is_file()}
    # These hold times.
    files.pop("masks/manifest.json")
    weights = {
        f"{p.parent.name}/{name}": value.numpy().tobytes()
        for p in sorted(run.glob("*/last.ckpt"))
        for name, value in torch.load(p, weights_only=True)["state_dict"].items()
    }
    metrics = json.loads((run / "metrics.json").read_text())
    leftovers = sorted(str(p.relative_to(run)) for p in run.rglob("resume.ckpt"))
    return {**files, **weights, "metrics.json": without_times(metrics), "leftovers": leftovers}


def without_times(value: Any) -> Any:
    """A copy without what the clock and the command line say."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("seconds", "command", "config_yaml")}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def compare(run: Path, expected: dict[str, Any]) -> list[str]:
    """Names of everything that is missing, doubled or different."""
    found = results(run)
    return sorted(k for k in {*found, *expected} if found.get(k) != expected.get(k))


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None, help="for runs and data; a temporary one if not given")
    parser.add_argument("overrides", nargs="*", help="KEY=VALUE for train.py")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fault_campaign_"))
    base = [sys.executable, "train.py", *TINY, f"trainer.devices={options.ranks}", *options.overrides]

    def command(name: str) -> list[str]:
        return [*base, f"run={folder / name}", f"data.root={folder / 'data' / name}"]

    undisturbed = Job(command("undisturbed"))
    if undisturbed.process.wait(900) != 0:
        print("\n".join(undisturbed.lines[-40:]))
        return 1
    span = (undisturbed.worked - undisturbed.started, undisturbed.steps)
    work = time.monotonic() - undisturbed.worked
    print(
        f"undisturbed: {span[0]:.1f} s to start, {work:.1f} s and {span[1]} steps of work; runs in {folder}", flush=True
    )
    expected, rng, tally = results(folder / "undisturbed"), random.Random(options.seed), Tally()
    number = 0
    while tally.kills < options.kills and not tally.failures:
        number += 1
        if finish_run(command(f"killed_{number:02d}"), rng, span, tally, options.kills):
            tally.runs_compared += 1
            found = compare(folder / f"killed_{number:02d}", expected)
            tally.differences += [f"run {number}: {name}" for name in found]
    for title, counts in (("how", tally.how), ("stages hit", tally.stages)):
        print(f"{title}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()))
    print(json.dumps(vars(tally)))
    return 1 if tally.differences or tally.hangs or tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
