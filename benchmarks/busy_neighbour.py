"""Cost of a busy process beside the loop, which should take its share of the cores and no more.

    python -m benchmarks.busy_neighbour [--repeats 3] [--neighbours 1] [--set NAME=VALUE ...] [KEY=VALUE ...]

A command of train.py, `uv run train.py KEY=VALUE ...` as a newcomer types it, runs from nothing to its report alone and
beside processes that only count, in turns. Printed are, for each turn, seconds by the clock and of processors, and how
many cores others kept busy meanwhile: on a machine that is not quiet the figures mean little. At the end stand the
ratios of neighbouring turns; 2 is the fair one of a command that keeps two cores busy, or one that has to share its
only core. `--set` gives an environment variable: with `--set OMP_NUM_THREADS=2 --set OMP_WAIT_POLICY=ACTIVE` a machine
with two cores does what libraries do by themselves.

For a first impression: `python -m benchmarks.busy_neighbour --repeats 1 debug=fast trainer=cpu`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[1]


class Turn(NamedTuple):
    """Cost of one run of the command: seconds by the clock, of processors, and cores that others kept busy."""

    wall: float
    processor: float
    others: float


@contextmanager
def neighbours(count: int) -> Iterator[list[psutil.Popen]]:
    """Processes that do nothing but keep a core busy."""
    processes = [psutil.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def processor_seconds() -> tuple[float, float]:
    """Used so far by all processes of this machine, and by those that this one has started and that have ended."""
    machine, ours = psutil.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(machine) - machine.idle - machine.iowait, ours.ru_utime + ours.ru_stime


def run(overrides: list[str], environment: dict[str, str], beside: int) -> Turn:
    """Run the command once, in a folder of its own, beside so many neighbours."""
    with tempfile.TemporaryDirectory() as folder, neighbours(beside) as busy:
        command = [sys.executable, str(ROOT / "train.py"), *overrides]
        (machine, ours), start = processor_seconds(), time.monotonic()
        done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
        wall, now = time.monotonic() - start, processor_seconds()
        theirs = sum(process.cpu_times().user + process.cpu_times().system for process in busy)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr[-2000:]}")
    processor = now[1] - ours
    return Turn(wall, processor, max(0.0, (now[0] - machine - processor - theirs) / wall))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable")
    parser.add_argument("overrides", nargs="*", help="KEY=VALUE for train.py")
    options = parser.parse_args()
    environment = dict(entry.split("=", 1) for entry in options.set)
    ratios, processors = [], []
    for repeat in range(options.repeats):
        # What comes second finds caches warm, which must not always be the same one.
        order = (0, options.neighbours) if repeat % 2 == 0 else (options.neighbours, 0)
        turns = {beside: run(options.overrides, environment, beside) for beside in order}
        for beside, turn in sorted(turns.items()):
            print(
                f"{f'beside {beside}' if beside else 'alone':9} {turn.wall:6.1f} s, {turn.processor:6.1f} s of "
                f"processors; others kept {turn.others:.2f} cores busy",
                flush=True,
            )
        alone, busy = turns[0], turns[options.neighbours]
        ratios.append(busy.wall / alone.wall)
        processors.append(busy.processor / alone.processor)
    print(
        f"beside {options.neighbours}: {statistics.median(ratios):.2f} times the time "
        f"({min(ratios):.2f} to {max(ratios):.2f}), {statistics.median(processors):.2f} times the processor time"
    )


if __name__ == "__main__":
    main()
