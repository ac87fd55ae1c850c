"""What is said of a full disk, and of other faults of the machine."""

import errno
import re

import pytest

from weakpan.basics.disk import as_machine_error, fault_of_machine, file_system_of, in_words, is_full
from weakpan.basics.errors import DataError, DiskFullError, MachineError


@pytest.mark.parametrize(("code", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)])
def test_a_full_disk_and_a_full_share_of_it(code, full):
    assert is_full(OSError(code, "x")) is full
    assert not is_full(ValueError(code))


def test_the_file_system_of_what_is_not_there_yet(tmp_path):
    here, beside = (file_system_of(path) for path in (tmp_path, tmp_path / "no" / "such.png"))
    mount, size, free = re.fullmatch(
        r"file system (\S+) \((\d+\.\d) MB, (\d+\.\d) free without this file\)", here
    ).groups()
    assert str(tmp_path).startswith(mount)
    assert 0 <= float(free) <= float(size)
    assert beside.startswith(f"file system {mount} (")


@pytest.mark.parametrize(
    ("code", "what", "remedy"),
    [
        (errno.ENOSPC, "no space left on file system /", "make room"),
        (errno.EIO, "a disk failed, that of file system /", "dmesg"),
        (errno.EROFS, "nothing can be written any more to file system /", "mount"),
        (errno.EMFILE, "more files open than the ", "ulimit -n"),
        (errno.ENFILE, "more files open than this machine allows", "fewer workers"),
    ],
)
def test_a_fault_of_the_machine_has_a_remedy(tmp_path, code, what, remedy):
    fault = OSError(code, "x", str(tmp_path / "a.png"))
    said, to_do = in_words(fault)
    assert said.startswith(what)
    assert remedy in to_do


def test_a_place_is_told_only_where_it_is_known(tmp_path):
    unnamed = OSError(errno.EIO, "x")
    assert in_words(unnamed)[0] == "a disk failed, or what else was read or written"
    assert "file system /" in in_words(unnamed, tmp_path)[0]


def test_a_fault_is_found_behind_the_error_of_a_reader():
    fault = OSError(errno.EMFILE, "x")
    error = DataError("a.png: not readable")
    error.__cause__ = fault
    assert fault_of_machine(error) is fault
    error.__cause__ = OSError(errno.EACCES, "x")
    assert fault_of_machine(error) is None


def test_a_file_that_a_disk_cannot_give_back_is_not_the_end_of_the_others():
    unreadable = DataError("a.png: not readable")
    unreadable.__cause__ = OSError(errno.EIO, "x")
    assert fault_of_machine(unreadable) is None
    unwritten = OSError(errno.EIO, "x")
    assert fault_of_machine(unwritten) is unwritten


def test_a_fault_is_found_in_the_text_that_comes_out_of_a_loading_process():
    said = OSError(
        f"Caught OSError in DataLoader worker process 0.\nOSError: [Errno {errno.EMFILE}] Too many open files"
    )
    assert fault_of_machine(said).errno == errno.EMFILE


def test_the_end_of_a_file_is_no_fault():
    assert fault_of_machine(OSError("a file that ends early")) is None


def test_a_fault_becomes_an_error_that_says_what_to_do(tmp_path):
    full = OSError(errno.ENOSPC, "x", str(tmp_path / "a.png"))
    error = as_machine_error(full, at=", at image a")
    assert isinstance(error, DiskFullError)
    assert re.fullmatch(
        rf"{tmp_path}/a\.png: no space left on file system .*, at image a; make room and start the same command again: "
        "what is done stays",
        str(error),
    )
    many = as_machine_error(OSError(errno.EMFILE, "Too many open files"), tmp_path)
    assert type(many) is MachineError
    assert str(many).startswith(f"{tmp_path}: ")
    assert as_machine_error(DataError("a.png: damaged")) is None
