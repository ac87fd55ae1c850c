"""How a job of several processes ends before its time: promptly, all of it, with a last line that says what to do.

A thread of each process looks after two things while the main thread may be deep in a collective that never returns:
signals, and the other ranks on this machine. Nothing is saved on the way out, because nothing needs to be: what is
finished lies on disk, and files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from weakpan.basics.console import PLAIN
from weakpan.parallel.ranks import gather_from_all_ranks, rank, whereabouts

log = logging.getLogger(__name__)

GO_ON = "what is finished is on disk; start the same command again, with run=FOLDER, to go on"

STATUS_RANK_LOST = 3
"""Exit status when another rank ended before the job did; signals end a job with 128 and their number."""

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_QUIET = "ignore:resource_tracker"
_PAUSE = 0.25
"""Seconds between two looks at the other ranks."""


class Watch:
    """Ends this process, and those that it started, when a signal comes or another rank has gone.

    In the main thread:

        watch = Watch()
        watch.start()
        watch.children.update(...)     as they are started
        watch.meet()                   once there is a process group
        ...
        watch.stop()

    Args:
        parent: process that started this one and must not go before it; None if that does not matter.
        on_requeue: called on rank 0 after SIGUSR1, before the job ends.
    """

    def __init__(self, parent: int | None = None, on_requeue: Callable[[], None] | None = None) -> None:
        self.children: dict[int, subprocess.Popen[bytes]] = {}
        self.peers: dict[int, int] = {}
        self.on_requeue = on_requeue
        # torchrun ends its processes, but not when it is killed itself.
        self.parent = os.getppid() if parent is None and "TORCHELASTIC_RUN_ID" in os.environ else parent
        self._stopped = threading.Event()
        self._leaving = threading.Lock()

    @property
    def alone(self) -> bool:
        """Whether there is no other process to tell or to wait for."""
        return not self.children and not self.peers and self.parent is None

    def start(self) -> None:
        """Begin to listen, for signals and for the processes that started this one or were started by it."""
        # Python's helper for shared semaphores would have the last word after a job that ended early.
        told = os.environ.get("PYTHONWARNINGS", "")
        if _QUIET not in told:
            os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (told, _QUIET)))
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        self._before = {number: signal.signal(number, _noted) for number in _SIGNALS}
        # Python calls handlers between two of its own instructions, and a rank that waits for another one executes
        # none; the interpreter writes to this pipe at once.
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._forget)
        threading.Thread(target=self._look, daemon=True, name="rank-watch").start()

    def meet(self) -> None:
        """Look after all ranks on this machine from now on; every rank calls this, for they tell their process ids."""
        own = (socket.gethostname(), os.getpid())
        told = gather_from_all_ranks(own)
        peers = {k: pid for k, (host, pid) in enumerate(told) if host == own[0] and pid != own[1]}
        # Ranks in containers of their own may share a host name and not see each other's processes.
        self.peers = {k: pid for k, pid in peers.items() if _lives(pid)}

    def stop(self) -> None:
        """Stop listening; the other ranks may end from now on."""
        self._stopped.set()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _forget(self) -> None:
        """A forked loader process that is terminated must not pass this on to the job."""
        if not self._stopped.is_set():
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)

    def _look(self) -> None:
        while not self._stopped.is_set():
            ready, _, _ = select.select([self._reading], [], [], _PAUSE)
            if ready:
                for number in os.read(self._reading, 64):
                    if number in _SIGNALS and not self._stopped.is_set():
                        self._leave_after(signal.Signals(number))
            elif self.lost_ranks():
                self.leave_if_rank_lost(0)
            elif self.parent not in (None, os.getppid()) and not self._stopped.is_set():
                log.error(
                    "process %s, which started this one, has gone during %s; %s", self.parent, whereabouts(), GO_ON
                )
                self.leave(STATUS_RANK_LOST)
        os.close(self._reading)
        os.close(self._writing)

    def lost_ranks(self) -> list[int]:
        """Ranks on this machine whose process is gone."""
        if self._stopped.is_set():
            return []
        gone = {k for k, child in self.children.items() if child.poll() is not None}
        return sorted(gone | {k for k, pid in self.peers.items() if not _lives(pid)})

    def leave_if_rank_lost(self, patience: float) -> None:
        """End this process if another rank is gone, or goes within `patience` seconds."""
        give_up = time.monotonic() + patience
        while not (lost := self.lost_ranks()):
            if time.monotonic() > give_up:
                return
            time.sleep(_PAUSE / 5)
        # Those that only lost contact with the one that died follow within moments; ask what ended the first.
        codes = {k: self._exit_code(k) for k in lost}
        own_words = [k for k, code in codes.items() if code == 2]
        first = own_words[0] if own_words else min(lost, key=lambda k: codes[k] == STATUS_RANK_LOST)
        if rank() == 0 or 0 in lost:
            pid = self.children[first].pid if first in self.children else self.peers[first]
            how = _how_it_ended(codes[first])
            log.error("rank %d (process %d) %s during stage '%s'; %s", first, pid, how, _stage(), GO_ON)
        self.leave(2 if own_words else STATUS_RANK_LOST)

    def leave_after_rank_zero(self, status: int, patience: float = 15.0) -> NoReturn:
        """End this process without a word once rank 0, which has something to say, is gone; rank 0 may be quicker."""
        self.stop()
        give_up = time.monotonic() + patience
        while 0 in self.peers and _lives(self.peers[0]) and time.monotonic() < give_up:
            time.sleep(_PAUSE / 5)
        self.leave(status)

    def _exit_code(self, lost: int) -> int | None:
        """Exit status of a rank that is gone, negative for a signal; None where another process started it."""
        child = self.children.get(lost)
        if child is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2.0)
        return child.returncode

    def _leave_after(self, number: signal.Signals) -> None:
        if rank() == 0:
            if number is signal.SIGUSR1 and self.on_requeue is not None:
                self.on_requeue()
            log.warning("stopped by %s at %s: %s", number.name, whereabouts(), GO_ON, extra=PLAIN)
        self.leave(128 + number)

    def leave(self, status: int) -> NoReturn:
        """End this process and those that it started, now."""
        with self._leaving:
            for child in self.children.values():
                child.kill()
            for worker in multiprocessing.active_children():
                worker.kill()
            sys.stdout.flush()
            os._exit(status)


def _noted(number: int, frame: FrameType | None) -> None:
    """Stands in for the default action; the thread does the rest."""


def _stage() -> str:
    return whereabouts().rpartition("stage '")[2].removesuffix("'")


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "ended before the job did, or was killed, perhaps for want of memory,"
    if code < 0:
        name = signal.Signals(-code).name
        why = ", perhaps for want of memory," if name == "SIGKILL" else ""
        return f"was killed by {name}{why}"
    if code == 2:
        return "stopped with the error above"
    if code > 128:
        return f"was stopped by {signal.Signals(code - 128).name}"
    return f"ended with status {code} (see its messages above)"


def _lives(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    try:
        # Field 3, after the name in parentheses, which may itself hold any character.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    except OSError:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
