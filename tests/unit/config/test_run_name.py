"""Run folders that nobody named."""

import re

import pytest
from torch.distributed import TCPStore

from weakpan.config.run_name import job_stamp


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    for name in ("TORCHELASTIC_USE_AGENT_STORE", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def test_one_process_reads_the_clock():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", job_stamp())


def test_a_slurm_job_keeps_its_folder_when_it_is_queued_again(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert job_stamp() == "slurm_4711"


def test_processes_under_torchrun_take_the_stamp_of_the_first(monkeypatch):
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(server.port))
    clock = iter(["first", "later", "latest"])
    monkeypatch.setattr("weakpan.config.run_name.time.strftime", lambda _: next(clock))
    assert [job_stamp() for _ in range(3)] == ["first"] * 3
