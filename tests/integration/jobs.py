"""Jobs of several ranks as processes of their own: train.py on a city of a few pixels, with gloo on the CPU."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from tests.integration.loop_in_process import ROOT, TINY, without_times
from tests.integration.scripts import Script, environment

ALONE = tuple(o for o in TINY if not o.startswith("trainer="))
"""What both one process and several are given; the settings that the run folder stands for are the same."""

GO_ON = "what is finished is on disk; start the same command again, with run=FOLDER, to go on"


def command(
    run: Path | str, data: Path, *overrides: str, ranks: int = 2, launcher: str = "own", script: str = "train.py"
) -> list[str]:
    """A start of train.py or make_gt.py; `launcher` is `own` or `torchrun`."""
    starter = []
    if launcher == "torchrun":
        starter = [str(Path(sys.executable).with_name("torchrun")), f"--nproc_per_node={ranks}"]
    trainer = ("trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={ranks}")
    return [*starter, script, *ALONE, *(trainer if ranks > 1 else ("trainer=cpu",)), f"run={run}",
            f"data.root={data}", *overrides]  # fmt: skip


class Job:
    """A job under way, followed line by line."""

    def __init__(self, arguments: list[str]) -> None:
        self.lines: list[str] = []
        reading, writing = os.pipe()
        env = environment(PYTHONUNBUFFERED="1")
        self.process: Script | subprocess.Popen[bytes] = (
            Script(arguments, writing, writing, env=env)
            if arguments[0] in ("train.py", "make_gt.py")
            else subprocess.Popen(arguments, cwd=ROOT, env=env, stdout=writing, stderr=writing)
        )
        os.close(writing)
        self.output = os.fdopen(reading)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with self.output:
            for line in self.output:
                self.lines.append(line.rstrip())

    def wait_for(self, pattern: str, seconds: float = 200.0) -> None:
        """Until a line begins with a pattern."""
        give_up = time.monotonic() + seconds
        while not any(re.match(pattern, line) for line in self.lines):
            assert self.process.poll() is None, "\n".join(self.lines[-30:])
            assert time.monotonic() < give_up, "\n".join(self.lines[-30:])
            time.sleep(0.01)

    def ranks(self) -> list[psutil.Process]:
        """Processes of the job, in the order of its ranks."""
        main = psutil.Process(self.process.pid)
        below = [p for p in main.children() if {"weakpan.job.rank_process", "train.py"} & set(p.cmdline())]
        under_torchrun = "train.py" in (below[0].cmdline() if below else [])
        return sorted(below, key=lambda p: p.pid) if under_torchrun else [main, *below]

    def kill(self, rank: int, number: signal.Signals) -> float:
        """Send a signal to a rank; seconds until the whole job was over."""
        everybody = [*self.ranks()]
        everybody[rank].send_signal(number)
        begun = time.monotonic()
        self.finish(60)
        _, alive = psutil.wait_procs([p for p in everybody if p.pid != self.process.pid], timeout=30)
        assert not alive
        return time.monotonic() - begun

    def finish(self, seconds: float = 300) -> int:
        """Exit status."""
        status = self.process.wait(seconds)
        self.reader.join(10)
        return status

    @property
    def end(self) -> str:
        """The last lines."""
        return "\n".join(self.lines[-30:])


def run_job(arguments: list[str]) -> Job:
    """A job that has to succeed."""
    job = Job(arguments)
    assert job.finish() == 0, job.end
    return job


def metrics_of(run: Path):
    """Results of a run, without what the clock says."""
    return without_times(json.loads((run / "metrics.json").read_text()))
