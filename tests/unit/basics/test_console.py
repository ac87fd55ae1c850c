"""What a process says, to whom and in which words."""

import logging
import re
import sys
from pathlib import Path

import pytest

from weakpan.basics.console import PLAIN, is_set_up, log_to, say_error, say_loading, set_up_logging

log = logging.getLogger("weakpan.somewhere")


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


def say_everything():
    talkative = logging.getLogger("library.talkative")
    talkative.setLevel(logging.INFO)  # as Lightning does
    log.debug("detail")
    log.info("news of %d", 1)
    log.warning("odd")
    log.warning("left out", extra=PLAIN)
    log.error("wrong")
    logging.getLogger("library").info("chatter")
    talkative.info("gossip")
    logging.getLogger("library").warning("deprecated")


def test_lines_are_plain_and_what_is_wrong_goes_to_standard_error(capsys):
    say_everything()
    said = capsys.readouterr()
    assert said.out == "news of 1\n"
    assert said.err == "warning: odd\nleft out\nerror: wrong\nwarning: deprecated\n"


@pytest.mark.parametrize(
    ("switches", "out"),
    [
        ({"quiet": True}, ""),
        ({"verbose": True}, "detail\nnews of 1\nchatter\ngossip\n"),
        ({"verbose": True, "quiet": True}, ""),
    ],
)
def test_quiet_and_verbose_change_information_alone(switches, out, capsys):
    set_up_logging(lambda: 0, **switches)
    say_everything()
    said = capsys.readouterr()
    assert said.out == out
    assert said.err == "warning: odd\nleft out\nerror: wrong\nwarning: deprecated\n"


def test_other_ranks_say_errors_only(capsys):
    number = 0
    set_up_logging(lambda: number)
    log.info("before they have met")
    number = 1
    say_everything()
    assert capsys.readouterr() == ("before they have met\n", "error: wrong\n")


def test_the_file_begins_with_what_was_said_before(tmp_path, capsys):
    path = tmp_path / "logs/weakpan.log"
    set_up_logging(lambda: 0, quiet=True)
    log.info("before")
    assert not path.parent.exists()
    log_to(path)
    log.warning("after")
    lines = path.read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(rf"{stamp} INFO weakpan\.somewhere: before", lines[0])
    assert re.fullmatch(rf"{stamp} WARNING weakpan\.somewhere: after", lines[1])
    assert capsys.readouterr() == ("", "warning: after\n")


def test_a_restart_appends_and_the_next_job_has_its_own_file(tmp_path):
    for name in ("one", "one", "other"):
        set_up_logging(lambda: 0)
        log_to(tmp_path / name)
        log.info("start of %s", name)
    assert (tmp_path / "one").read_text().count("start of one") == 2
    assert "one" not in (tmp_path / "other").read_text()


def test_a_job_that_was_refused_leaves_nothing_to_the_next_one(tmp_path):
    set_up_logging(lambda: 0)
    log.info("refused")
    set_up_logging(lambda: 0)
    log_to(tmp_path / "log")
    assert (tmp_path / "log").read_text() == ""


def test_a_traceback_stands_before_the_line_that_tells_what_to_do(tmp_path, capsys):
    log_to(tmp_path / "log")
    try:
        raise KeyError("k")
    except KeyError as error:
        log.error("start again", exc_info=error)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Traceback")
    assert said[-2:] == ["KeyError: 'k'", "error: start again"]
    assert "KeyError: 'k'" in (tmp_path / "log").read_text()


def test_a_full_disk_is_left_to_those_who_write_results(capsys):
    log_to(Path("/dev/full"))
    log.info("said")
    assert capsys.readouterr() == ("said\n", "")


def test_what_was_set_up_before_is_replaced_but_not_the_handlers_of_others(caplog, capsys):
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))  # as Hydra does
    set_up_logging(lambda: 0)
    log.info("once")
    assert capsys.readouterr().out == "once\n"
    assert caplog.messages == ["once"]


def test_errors_are_told_before_anything_is_set_up(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert not is_set_up()
    say_error("no such key")
    set_up_logging(lambda: 0)
    say_error("no such key")
    assert capsys.readouterr().err == "error: no such key\n" * 2
