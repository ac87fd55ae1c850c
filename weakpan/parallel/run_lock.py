"""One job a run folder: a lock that ends with the processes that hold it, however they end.

`.lock` in the run folder is locked byte by byte with POSIX record locks: rank R of a job holds byte R. They are not
inherited by forked loader processes (as those of flock would be, which would outlive a job that was killed), and the
kernel drops them with their process. The text in the file says who holds it, for the message alone.

On a network file system this needs one that passes record locks on to its server: NFS 4, NFS 3 with its lock daemon,
Lustre mounted with `flock`. Where locks are not supported the run goes on with a warning.

POSIX drops all locks of a process on a file as soon as the process closes any handle to it: nothing else in the process
that holds the lock may open `.lock`, not even to read it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weakpan.basics.disk import fault_of_machine
from weakpan.basics.errors import RunError
from weakpan.parallel.ranks import from_rank_zero, rank
from weakpan.storage.files import remove_temporaries

NAME = ".lock"

log = logging.getLogger(__name__)

_EVERYTHING = 0
"""As a length: up to the end of what can ever be locked."""


class RunLock:
    """The lock of one rank on one run folder.

    Args:
        folder: of the run; made if it is not there.
        patience: seconds to wait for the last processes of an earlier job, whose rank 0 is gone already.
        key: of the command line that gives the folder, for messages.
    """

    def __init__(self, folder: Path, patience: float = 30.0, key: str = "run") -> None:
        self.folder, self.patience, self.key = folder, patience, key
        self._file: int | None = None

    @property
    def path(self) -> Path:
        """The file that is locked."""
        return self.folder / NAME

    def claim(self) -> str | None:
        """Take the folder for a job; rank 0 calls this before anything is written.

        Returns:
            None, or a warning where the file system has no locks.

        Raises:
            RunError: another job works on the folder; the message names its process.
        """
        self._open()
        if not self._lock(0, 1):
            raise RunError(
                f"{self.folder}: another job is working on this {self.key} folder ({self._holder()}); wait for it or "
                f"end it, or give another folder with {self.key}=FOLDER"
            )
        give_up = time.monotonic() + self.patience
        while not self._lock(1, _EVERYTHING):
            if time.monotonic() > give_up:
                raise RunError(
                    f"{self.folder}: processes of an earlier job ({self._holder()}) are still working on this "
                    f"{self.key} folder; end them, then start the same command again"
                )
            time.sleep(0.2)
        self._unlock(1, _EVERYTHING)
        content = {"host": socket.gethostname(), "pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(content).encode(), 0)
        return None if self._supported else f"{self.folder}: this file system has no locks; never start two jobs on it"

    def join(self, rank: int) -> None:
        """Hold the folder as a further rank of the job that claimed it, so that nobody else starts while it works."""
        self._open()
        self._lock(rank, 1)

    def release(self) -> None:
        """Let go of the folder."""
        if self._file is not None:
            # Closing any descriptor of the file drops all record locks of this process on it.
            os.close(self._file)
            self._file = None

    def make_folder(self) -> None:
        """Make the folder, if it is not there; raises RunError where that is not possible."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if fault_of_machine(error) is not None:
                raise
            what = f"cannot be written to ({error.strerror})"
            raise RunError(what, key=self.key, found=self.folder, remedy="give another folder") from error

    def _open(self) -> None:
        self.make_folder()
        self._supported = True
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _lock(self, start: int, length: int) -> bool:
        assert self._file is not None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                raise
            self._supported = False
        return True

    def _unlock(self, start: int, length: int) -> None:
        assert self._file is not None
        if self._supported:
            fcntl.lockf(self._file, fcntl.LOCK_UN, length, start)

    def _holder(self) -> str:
        assert self._file is not None
        try:
            content = json.loads(os.pread(self._file, 4096, 0))
            return f"process {content['pid']} on {content['host']}, started {content['started']}"
        except (ValueError, KeyError, TypeError):
            return "process unknown"


@contextmanager
def holding(lock: RunLock, shard: tuple[int, int] = (0, 1)) -> Iterator[None]:
    """Hold a folder while the block runs, and clear away what killed writers left; every rank of a job calls this.

    Args:
        lock: on the folder.
        shard: index and number of parts of the images; with more than one, other jobs work on the folder at the same
            time, each on images of its own, so that it is not locked and nothing is cleared away.

    Raises:
        RunError: another command works on the folder.
        ToldByRankZero: the same, on the other ranks.
    """
    if shard[1] > 1:
        from_rank_zero(lock.make_folder)
        yield
        return
    try:
        warning = from_rank_zero(lock.claim)
        if rank() > 0:
            lock.join(rank())
        elif warning is not None:
            log.warning(warning)
        from_rank_zero(lambda: remove_temporaries(lock.folder))
        yield
    finally:
        lock.release()
