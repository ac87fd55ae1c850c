"""The scripts as processes of their own that need not import torch and Lightning first.

A process that has imported those and done nothing else is forked for each start, and the fork executes the script from
its first line. So everything is as when a user starts it, but for the interpreter's start, which `tiny_run` and jobs
under torchrun have.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from multiprocessing.reduction import DupFd
from pathlib import Path

from weakpan.basics import console

ROOT = Path(__file__).parents[2]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "tests.integration.preloaded"])


def environment(**more: str) -> dict[str, str]:
    """That of a user: nothing that a job of several ranks leaves for its processes."""
    ours = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "WEAKPAN_STAMP", "MASTER_", "PL_", "SLURM_")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(ours)}, **more}


class Script:
    """A script under way; what tests use of `subprocess.Popen` is called alike here.

    Args:
        arguments: name of the script in the root of the repository, and what it is told.
        stdout: descriptor to write to.
        stderr: another one, or the same.
        cwd: where it is started.
        env: its environment.
    """

    def __init__(
        self, arguments: list[str], stdout: int, stderr: int, cwd: Path = ROOT, env: dict[str, str] | None = None
    ) -> None:
        given = (arguments, str(cwd), environment() if env is None else env)
        self._process = CONTEXT.Process(target=_Execute(stdout, stderr), args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Exit status, once it has ended."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)


class _Execute:
    """What the fork does; the descriptors come with it."""

    def __init__(self, stdout: int, stderr: int) -> None:
        self.stdout, self.stderr = stdout, stderr

    def __reduce__(self):
        # Descriptors can be sent only while a process is started, which is when this is called.
        return _executor, (DupFd(self.stdout), DupFd(self.stderr))

    def __call__(self, arguments: list[str], cwd: str, env: dict[str, str]) -> None:
        os.dup2(self.stdout, 1)
        os.dup2(self.stderr, 2)
        os.close(self.stdout)
        os.close(self.stderr)
        sys.stdout.reconfigure(line_buffering="PYTHONUNBUFFERED" in env)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        script = str(ROOT / arguments[0])
        sys.argv[:] = [script, *arguments[1:]]
        # Those of a script: nothing of the tests.
        foreign = {"", str(ROOT), *(p for p in sys.path if Path(p).is_relative_to(ROOT / "tests"))}
        sys.path[:] = [str(ROOT), *(p for p in sys.path if p not in foreign)]
        # What a user is told while libraries are imported is told here, too.
        console._AWAITED = "nothing of this name"
        try:
            runpy.run_path(script, run_name="__main__")
        finally:
            # Forks of this kind end without.
            atexit._run_exitfuncs()


def _executor(stdout, stderr):
    return _Execute(stdout.detach(), stderr.detach())


def run_script(*arguments: str, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Exit status, and what was printed, of a script that ends by itself."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        script = Script(list(arguments), out.fileno(), err.fileno(), cwd)
        try:
            status = script.wait(timeout)
        except subprocess.TimeoutExpired:
            script.kill()
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(arguments, status, *said)
