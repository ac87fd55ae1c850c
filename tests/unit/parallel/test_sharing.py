"""Images shared over processes: the same in one as in several, failures, full disks, dead workers, bounded memory."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

import weakpan.parallel.sharing
from tests.unit.parallel.sharing_tasks import Claimed, Dies, FullDisk, Touch
from weakpan.basics.errors import DataError, MachineError, RunError
from weakpan.parallel.sharing import clock, shard_of, share

IDS = [f"{letter}{number}" for letter in "abc" for number in range(6)]
WORKERS = pytest.mark.parametrize("workers", [1, 2])


class InlinePool:
    """Stands for a pool of processes where only the bookkeeping is of interest; the last image given is done first."""

    def __init__(self, *_, initargs, **__):
        (self.task,) = initargs
        self.waiting = []

    def submit(self, _, image_id):
        job = Future()
        self.waiting.append((job, image_id))
        return job

    def shutdown(self, **_):
        self.waiting.clear()

    def work_once(self):
        job, image_id = self.waiting.pop()
        try:
            job.set_result(weakpan.parallel.sharing._attempt(self.task, image_id))
        except Exception as error:
            job.set_exception(error)


@pytest.fixture
def inline(monkeypatch):
    """Replace processes; returns the pools that were made."""
    pools = []

    def make(*arguments, **keywords):
        pools.append(InlinePool(*arguments, **keywords))
        return pools[-1]

    def wait(jobs, **_):
        pools[-1].work_once()
        return really_wait(jobs, timeout=0)

    really_wait = weakpan.parallel.sharing.wait
    monkeypatch.setattr(weakpan.parallel.sharing, "ProcessPoolExecutor", make)
    monkeypatch.setattr(weakpan.parallel.sharing, "wait", wait)
    return pools


class Watched(Sequence):
    """Ids that remember how many were taken before their turn, on every pass over them."""

    def __init__(self, ids, folder):
        self.ids, self.folder, self.most_ahead = ids, folder, []

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, position):
        return self.ids[position]

    def __iter__(self):
        self.most_ahead.append(0)
        for taken, image_id in enumerate(self.ids, start=1):
            done = len(list(self.folder.iterdir()))
            self.most_ahead[-1] = max(self.most_ahead[-1], taken - done)
            yield image_id


def files(folder):
    return sorted(p.name for p in folder.iterdir())


@WORKERS
def test_every_image_is_done_once_and_counted(tmp_path, workers):
    (tmp_path / "b2").write_text("was there")
    outcome = share(Touch(tmp_path), IDS, workers, "touch")
    assert (outcome.made, outcome.kept, outcome.failures) == (17, 1, [])
    assert outcome.counts == Counter({"images": 17, "like a": 12, "like b": 10, "like c": 12})
    assert files(tmp_path) == IDS
    assert (tmp_path / "b2").read_text() == "was there"
    pids = {path.read_text() for path in tmp_path.iterdir()} - {"was there"}
    assert (str(os.getpid()) in pids) == (workers == 1)
    again = share(Touch(tmp_path), IDS, 1, "touch")
    assert (again.made, again.kept, again.counts) == (0, 18, Counter())


def test_a_handful_is_done_without_processes(tmp_path):
    share(Touch(tmp_path), IDS[:8], 4, "touch")
    assert {path.read_text() for path in tmp_path.iterdir()} == {str(os.getpid())}


def test_nothing_to_do(tmp_path):
    outcome = share(Touch(tmp_path), (), 4, "touch")
    assert (outcome.made, outcome.kept, outcome.failures) == (0, 0, [])


@pytest.mark.parametrize("ids", [IDS, IDS[::-1], sorted(IDS, key=lambda i: i[1])])
def test_the_order_in_which_images_end_does_not_show(tmp_path, inline, ids):
    named = [*ids[:3], "bad1", *ids[3:], "bad0"]
    outcome = share(Touch(tmp_path), named, 3, "touch", skip_failures=True)
    assert len(inline) == 1
    assert (outcome.made, outcome.kept) == (18, 0)
    assert outcome.failures == [("bad1", "image bad1: damaged"), ("bad0", "image bad0: damaged")]
    assert outcome.counts["images"] == 18
    assert files(tmp_path) == sorted(ids)


@WORKERS
def test_failures_are_skipped_and_listed_in_the_order_of_the_ids(tmp_path, workers):
    ids = ["bad9", *IDS, "locked", "bad1"]
    outcome = share(Touch(tmp_path), ids, workers, "touch", skip_failures=True)
    assert [image_id for image_id, _ in outcome.failures] == ["bad9", "locked", "bad1"]
    assert outcome.failures[0][1] == "image bad9: damaged"
    assert "locked.png" in outcome.failures[1][1]
    assert (outcome.made, outcome.kept, outcome.counts["images"]) == (18, 0, 18)
    assert files(tmp_path) == IDS


@WORKERS
def test_errors_that_are_not_about_an_image_are_not_skipped(tmp_path, workers, request):
    if workers == 2:
        request.getfixturevalue("inline")
    with pytest.raises(RunError, match="other settings came first"):
        share(Claimed(tmp_path), IDS, workers, "touch", skip_failures=True)


def test_the_first_failure_stops_the_stage(tmp_path):
    with pytest.raises(DataError, match="image bad: damaged"):
        share(Touch(tmp_path), [*IDS[:4], "bad", *IDS[4:]], 1, "touch")
    assert files(tmp_path) == IDS[:4]


def test_the_first_failure_stops_processes(tmp_path):
    many = [f"a{k}" for k in range(500)]
    with pytest.raises(DataError, match="image bad: damaged"):
        share(Touch(tmp_path, seconds=0.01), ["bad", *many], 2, "touch")
    # What was handed out may be finished; the rest must not be.
    assert len(files(tmp_path)) < 50


@WORKERS
@pytest.mark.parametrize("skip", [True, False])
def test_a_full_disk_ends_the_stage_whatever_may_be_skipped(tmp_path, workers, skip, request):
    if workers == 2:
        request.getfixturevalue("inline")
    with pytest.raises(RunError) as caught:
        share(FullDisk(tmp_path), IDS, workers, "touch", skip_failures=skip)
    for part in (f"{tmp_path / 'a5'}: no space left", "image a5", "start the same command again"):
        assert part in str(caught.value)


def test_a_full_quota_is_a_full_disk(tmp_path):
    with pytest.raises(RunError, match="no space left"):
        share(FullDisk(tmp_path, code=errno.EDQUOT), IDS, 1, "touch")


@pytest.mark.parametrize(
    ("code", "said", "wrapped"),
    [
        (errno.EIO, "a disk failed", False),
        (errno.EMFILE, "ulimit -n", False),
        (errno.EMFILE, "ulimit -n", True),
        (errno.ENFILE, "fewer workers", True),
    ],
)
def test_other_faults_of_the_machine_are_not_skipped_either(tmp_path, code, said, wrapped):
    with pytest.raises(MachineError, match=said) as caught:
        share(FullDisk(tmp_path, code=code, wrapped=wrapped), IDS, 1, "touch", skip_failures=True)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'a5'}: ")
    assert "at image a5; " in message
    assert message.endswith("start the same command again: what is done stays")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_an_error_of_a_reader_that_is_the_files_own_is_skipped(tmp_path, code):
    outcome = share(FullDisk(tmp_path, code=code, wrapped=True), IDS, 1, "touch", skip_failures=True)
    assert [image_id for image_id, _ in outcome.failures] == ["a5"]


@pytest.mark.parametrize("task", [FullDisk, Dies])
def test_what_goes_wrong_in_a_worker_is_told(tmp_path, task):
    """With real processes: the error travels, or the process is gone; neither hangs, neither is skipped."""
    start = time.monotonic()
    with pytest.raises(RunError, match="no space left" if task is FullDisk else "a worker process died at or near"):
        share(task(tmp_path), IDS, 2, "touch", skip_failures=True)
    assert time.monotonic() - start < 60
    done = files(tmp_path)
    assert "a5" not in done
    # The same command again does the rest.
    outcome = share(Touch(tmp_path), IDS, 1, "touch")
    assert (outcome.made, outcome.kept) == (len(IDS) - len(done), len(done))


@pytest.mark.usefixtures("inline")
def test_a_pool_that_breaks_between_two_images(tmp_path, monkeypatch):
    """Then giving it the next image fails, not asking for a result."""
    submit, given = InlinePool.submit, []

    def breaks(pool, function, image_id):
        given.append(image_id)
        if len(given) > 10:
            raise BrokenProcessPool("a process was terminated")
        return submit(pool, function, image_id)

    monkeypatch.setattr(InlinePool, "submit", breaks)
    with pytest.raises(RunError, match=f"died at or near image {IDS[10]}"):
        share(Touch(tmp_path), IDS, 2, "touch")


@WORKERS
@pytest.mark.usefixtures("inline")
def test_images_wait_until_their_turn(tmp_path, workers):
    watched = Watched([f"a{k}" for k in range(200)], tmp_path)
    share(Touch(tmp_path), watched, workers, "touch")
    assert len(files(tmp_path)) == 200
    assert watched.most_ahead[-1] <= workers * 4


def test_bounded_with_real_processes(tmp_path):
    watched = Watched([f"a{k}" for k in range(60)], tmp_path)
    share(Touch(tmp_path, seconds=0.002), watched, 2, "touch")
    assert len(files(tmp_path)) == 60
    assert watched.most_ahead[-1] <= 8


def test_workers_end_when_their_parent_is_killed(tmp_path):
    """Nobody could give them work any more."""
    here = Path(__file__).parent
    code = (
        "from pathlib import Path\nfrom tests.unit.parallel.sharing_tasks import KeepsPid\n"
        "from weakpan.parallel.sharing import share\n"
        f"if __name__ == '__main__':\n    share(KeepsPid(Path({str(tmp_path)!r})), {IDS!r}, 2, 'touch')\n"
    )
    script = tmp_path.with_suffix(".py")
    script.write_text(code)
    paths = str(here.parents[2])
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": paths})
    try:
        until(lambda: len(files(tmp_path)) == 2 and all(p.read_text() for p in tmp_path.iterdir()))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    pids = [int(path.read_text()) for path in tmp_path.iterdir()]
    try:
        until(lambda: not any(is_running(pid) for pid in pids))
    finally:
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def is_running(pid):
    """Whether a process works; one that ended and that nobody asked about yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_progress_is_told_at_the_end(tmp_path, capsys):
    share(Touch(tmp_path), IDS, 1, "touch")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("touch: image 18/18 [0:0")
    assert line.endswith("0:00 left]")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36610, "10:10:10")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_shards_are_a_division():
    ids = tuple(IDS)
    for count in (1, 4, 18, 30):
        parts = [shard_of(ids, index, count) for index in range(count)]
        assert sorted(i for part in parts for i in part) == sorted(ids)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
