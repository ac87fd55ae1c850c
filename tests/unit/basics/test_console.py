"""The line that is printed while libraries are imported."""

import sys

import pytest

from weakpan.basics.console import say_loading


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "pytorch_lightning", raising=False)


@pytest.mark.parametrize(
    ("ranks", "lines"),
    [
        ({}, 1),
        ({"RANK": "0", "LOCAL_RANK": "0"}, 1),
        ({"RANK": "2", "LOCAL_RANK": "0"}, 0),
        ({"SLURM_PROCID": "1"}, 0),
        ({"LOCAL_RANK": "1"}, 0),
    ],
)
def test_the_first_process_says_so_on_standard_error(ranks, lines, monkeypatch, capsys):
    for name, rank in ranks.items():
        monkeypatch.setenv(name, rank)
    say_loading()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "weakpan: loading\n" * lines)


def test_later_jobs_of_a_sweep_have_nothing_to_wait_for(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pytorch_lightning", sys)
    say_loading()
    assert capsys.readouterr().err == ""
