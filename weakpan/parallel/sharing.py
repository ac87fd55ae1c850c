"""Share the images of a stage over processes: bounded memory, progress with an estimate, errors that name the image.

The stage itself is a task: something small that can be pickled and that is called with one image id at a time. It is
sent to every worker once.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess

import cv2

from weakpan.basics.console import clock
from weakpan.basics.disk import as_machine_error
from weakpan.basics.errors import DataError, MachineError, RunError, WeakpanError

log = logging.getLogger(__name__)

SAY_EVERY = 10.0
"""Seconds between two lines of progress."""

_FEW = 8
"""So few images are done sooner by this process than others are started."""

_AHEAD = 4
"""Images handed out to each worker in advance; the rest wait here, so that memory does not grow with their number."""


Task = Callable[[str], Counter[str] | None]
"""Makes and writes the result of an image; returns counts of anything, to be summed up over all images, or None where
the result was there already. Raises WeakpanError for input that is missing or damaged."""


@dataclass
class Outcome:
    """What became of the images.

    Attributes:
        made: number of images whose result was made now.
        kept: number of images whose result was there already.
        failures: image id and message, for each image that could not be done, in the order of the ids.
        counts: sums of what the task counted, over the images that were made now.
        seconds: wall time.
    """

    made: int = 0
    kept: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def share(task: Task, ids: Sequence[str], workers: int, name: str, skip_failures: bool = False) -> Outcome:
    """Do a task for all images; those whose result is there are not done again.

    Args:
        task: can be pickled.
        ids: of the images.
        workers: processes; with 1, or for a handful of images, the work is done in this one.
        name: of the stage, in front of lines of progress.
        skip_failures: go on after an image that cannot be done, as a DataError tells; otherwise the first one ends the
            stage.

    Raises:
        DataError: of an image that cannot be done, unless failures are skipped.
        WeakpanError: anything else that the user can mend, a full disk or a worker that died for instance.
    """
    outcome, start = Outcome(), time.monotonic()
    last = start
    position = {image_id: k for k, image_id in enumerate(ids)}
    for done, (image_id, result) in enumerate(_results(task, ids, workers), start=1):
        if isinstance(result, WeakpanError):
            # Other errors are not about the image, and would come back with every one.
            if not (skip_failures and isinstance(result, DataError)):
                raise result
            outcome.failures.append((image_id, str(result)))
        elif result is None:
            outcome.kept += 1
        else:
            outcome.made += 1
            outcome.counts.update(result)
        now = time.monotonic()
        if now - last > SAY_EVERY or done == len(ids):
            last = now
            # What was there already says nothing about how long the rest takes.
            left = (now - start) / max(1, done - outcome.kept) * (len(ids) - done)
            log.info("%s: image %d/%d [%s, %s left]", name, done, len(ids), clock(now - start), clock(left))
    outcome.failures.sort(key=lambda failure: position[failure[0]])
    outcome.seconds = round(time.monotonic() - start, 1)
    return outcome


_Result = Counter[str] | WeakpanError | None
"""What the task returned, or the error of an image that could not be done."""


def _results(task: Task, ids: Sequence[str], workers: int) -> Iterator[tuple[str, _Result]]:
    if workers == 1 or len(ids) <= _FEW:
        threads = cv2.getNumThreads()
        # As in the workers: the same results however many processes there are.
        cv2.setNumThreads(1)
        try:
            for image_id in ids:
                yield image_id, _attempt(task, image_id)
        finally:
            cv2.setNumThreads(threads)
        return
    # A forked copy of a process that holds threads can hang; fresh ones cost a second.
    pool = ProcessPoolExecutor(
        min(workers, len(ids)), mp_context=get_context("spawn"), initializer=_adopt, initargs=(task,)
    )
    try:
        yield from _in_pool(pool, iter(ids), workers * _AHEAD)
    except BaseException:
        # Idle workers wait for work and busy ones may take long; neither hears an interrupt from the keyboard.
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_pool(pool: ProcessPoolExecutor, ids: Iterable[str], ahead: int) -> Iterator[tuple[str, _Result]]:
    waiting: dict[Future[_Result], str] = {}
    todo = iter(ids)
    while True:
        while len(waiting) < ahead and (image_id := next(todo, None)) is not None:
            with _naming_worker(image_id):
                waiting[pool.submit(_attempt_adopted, image_id)] = image_id
        if not waiting:
            return
        for job in wait(waiting, return_when=FIRST_COMPLETED).done:
            image_id = waiting.pop(job)
            with _naming_worker(image_id):
                result = job.result()
            yield image_id, result


@contextmanager
def _naming_worker(image_id: str) -> Iterator[None]:
    """A pool whose worker died says so when it is asked for a result, or when it is given the next image."""
    try:
        yield
    except BrokenProcessPool as error:
        raise RunError(
            f"a worker process died at or near image {image_id}, perhaps for want of memory; start the same command "
            "again, with fewer workers if it happens again"
        ) from error


_task: Task | None = None
"""In a worker process, what it was started for."""


def _adopt(task: Task) -> None:
    global _task
    _task = task
    # One image a process: OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    # An interrupt from the keyboard reaches every process; the main one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """Make this worker process end with the one that started it, as initializer of a pool.

    One that is killed cannot end its workers, and they would wait for work for ever.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    # Files that are being written have temporary names, so that nothing needs to be put in order.
    os._exit(1)


def _attempt_adopted(image_id: str) -> _Result:
    assert _task is not None
    return _attempt(_task, image_id)


def _attempt(task: Task, image_id: str) -> _Result:
    try:
        with naming_image(image_id):
            return task(image_id)
    except WeakpanError as error:
        return error
    except Exception as error:
        # A fault of the program, which cannot be skipped; say at least where.
        raise RuntimeError(f"image {image_id}: {type(error).__name__}: {error}") from error


@contextmanager
def naming_image(image_id: str) -> Iterator[None]:
    """Turn an error of the system around the work on an image into one that says which image, and what to do.

    Raises:
        MachineError: a disk that is full or broken, or too many open files; errors of the block that come from these.
        DataError: any other error of a file.
        Exception: anything else as it is, with the image in a note.
    """
    try:
        yield
    except MachineError:
        raise
    except (WeakpanError, OSError) as error:
        if (fault := as_machine_error(error, at=f", at image {image_id}")) is not None:
            raise fault from error
        if isinstance(error, WeakpanError):
            raise
        raise DataError(f"image {image_id}: {error}") from error
    except Exception as error:
        error.add_note(f"image {image_id}")
        raise


def shard_of(ids: Sequence[str], index: int, count: int) -> tuple[str, ...]:
    """Every `count`-th id from `index` on: the part of one machine out of several."""
    return tuple(ids[index::count])
