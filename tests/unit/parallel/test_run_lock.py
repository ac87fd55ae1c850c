"""One job a run folder, for exactly as long as its processes live."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weakpan.basics.errors import RunError
from weakpan.parallel.run_lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from weakpan.parallel.run_lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.claim() if sys.argv[2] == "0" else lock.join(int(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path):
    """Starts a process that holds the folder as a rank."""
    started = []

    def start(rank):
        arguments = [sys.executable, "-c", HOLD, str(tmp_path), str(rank)]
        process = subprocess.Popen(arguments, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_job_is_told_who_works_there(tmp_path, hold):
    first = hold(0)
    lock = RunLock(tmp_path)
    with pytest.raises(RunError, match=rf"{tmp_path}: another job .*process {first.pid} on .*run=FOLDER"):
        lock.claim()
    lock.release()


def test_a_lock_ends_with_its_process(tmp_path, hold):
    first = hold(0)
    first.send_signal(signal.SIGKILL)
    first.wait()
    lock = RunLock(tmp_path)
    assert lock.claim() is None
    lock.release()


def test_a_rank_that_outlives_its_job_is_waited_for(tmp_path, hold):
    late = hold(1)
    impatient = RunLock(tmp_path, patience=0.3)
    with pytest.raises(RunError, match=r"processes of an earlier job .* are still working"):
        impatient.claim()
    impatient.release()
    lock = RunLock(tmp_path, patience=20)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.5)
        os.kill(late.pid, signal.SIGKILL)
        os._exit(0)
    begun = time.monotonic()
    # Collected by nobody else while the lock waits.
    assert lock.claim() is None
    assert 0.2 < time.monotonic() - begun < 10
    os.waitpid(pid, 0)
    lock.release()


def test_further_ranks_join_the_job_that_claimed(tmp_path, hold):
    # This process is rank 0; another rank can hold its byte beside it, and a third party cannot claim.
    lock = RunLock(tmp_path)
    lock.claim()
    hold(1)
    arguments = [sys.executable, "-c", HOLD, str(tmp_path), "0"]
    other = subprocess.run(arguments, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60)
    assert f"process {os.getpid()} on" in other.stderr
    lock.release()


def test_a_released_folder_can_be_claimed(tmp_path):
    lock = RunLock(tmp_path / "new" / "run")
    assert lock.claim() is None
    lock.release()
    assert (tmp_path / "new" / "run" / ".lock").is_file()
