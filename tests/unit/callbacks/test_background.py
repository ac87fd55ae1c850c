"""Work behind the network: in order, bounded, and no error is lost."""

import threading
import time
from types import SimpleNamespace

import pytest
import torch

import weakpan.callbacks.background
from weakpan.callbacks.background import AHEAD, Background, gains_time


def test_jobs_are_done_in_order_by_another_thread_and_all_of_them():
    done = []
    background = Background()
    for k in range(20):
        background.submit(lambda k=k: done.append((k, threading.get_ident())))
    background.finish()
    assert [k for k, _ in done] == list(range(20))
    assert {ident for _, ident in done} != {threading.get_ident()}
    assert len({ident for _, ident in done}) == 1


def test_no_more_wait_than_may():
    gate, handed = threading.Event(), []
    background = Background()

    def hand_out():
        for k in range(AHEAD + 3):
            background.submit(gate.wait)
            handed.append(k)

    giver = threading.Thread(target=hand_out)
    giver.start()
    time.sleep(0.3)
    # One at work, the others waiting.
    assert len(handed) == AHEAD + 1
    gate.set()
    giver.join(10)
    background.finish()
    assert len(handed) == AHEAD + 3


def fail():
    raise OSError("no")


def submit_all(background, jobs):
    for job in jobs:
        background.submit(job)


def test_an_error_comes_with_one_of_the_next_jobs():
    background = Background()
    with pytest.raises(OSError, match="no"):
        submit_all(background, [fail, *[int] * (AHEAD + 2)])
    background.drop()


def test_an_error_of_the_last_job_comes_at_the_end():
    background = Background()
    background.submit(fail)
    with pytest.raises(OSError, match="no"):
        background.finish()


def test_what_is_dropped_is_not_begun():
    gate, done = threading.Event(), []
    background = Background()
    background.submit(gate.wait)
    background.submit(lambda: done.append(1))
    threading.Timer(0.2, gate.set).start()
    background.drop()
    assert done == []


def test_the_thread_computes_alone_and_nobody_else_has_to():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        background, found = Background(), []
        background.submit(lambda: found.append(torch.get_num_threads()))
        background.finish()
        assert (found, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("device", "cores", "ranks", "gains"),
    [
        ("cpu", 2, 1, True),
        ("cpu", 1, 1, False),
        ("cpu", 2, 2, False),
        ("cpu", 4, 2, True),
        ("cuda", 1, 1, True),
        ("mps", 8, 1, False),
    ],
)
def test_a_thread_needs_a_free_core_or_an_accelerator(monkeypatch, device, cores, ranks, gains):
    monkeypatch.setattr(weakpan.callbacks.background, "available_cores", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    trainer = SimpleNamespace(num_devices=ranks, strategy=SimpleNamespace(root_device=torch.device(device)))
    assert gains_time(trainer) is gains
