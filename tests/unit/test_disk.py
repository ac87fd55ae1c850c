"""What is said of a full disk."""

import errno
import re

import pytest

from weakpan.disk import file_system_of, is_full


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
