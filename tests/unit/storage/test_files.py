"""Files that are either whole or not there."""

import errno
from pathlib import Path

import pytest

from weakpan.storage.files import (
    content_digest,
    remove_temporaries,
    replacing,
    write_bytes_atomically,
    write_text_atomically,
    write_text_once,
)


def test_a_write_makes_its_folder_and_replaces(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text_atomically(path, "one\n")
    write_text_atomically(path, "zwei ü\n")
    assert path.read_text(encoding="utf-8") == "zwei ü\n"
    write_bytes_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_halfway():
        with replacing(path) as temporary:
            temporary.write_text("half of the new")
            assert temporary.parent == path.parent
            assert path.read_text() == "old"
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail_halfway()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.ckpt") as temporary:
        assert temporary.suffix == ".ckpt"
        temporary.write_text("x")


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "labels").mkdir()
    with replacing(tmp_path / "labels" / "a_semantic.png") as temporary:
        temporary.write_bytes(b"half")
        left = temporary
        kept = [tmp_path / ".lock", tmp_path / ".hidden.png", tmp_path / "labels" / "a.12-0123abcd.png"]
        for path in kept:
            path.write_bytes(b"")
        (tmp_path / "labels" / ".b.12-0123abcd").write_bytes(b"half")
        remove_temporaries(tmp_path)
        assert not left.exists()
        assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)
        temporary.write_bytes(b"whole")


@pytest.mark.parametrize("links", [True, False])
def test_what_is_written_once_is_never_replaced(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_):
            raise PermissionError("no links on this file system")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "new" / "a.txt"
    assert write_text_once(path, "one")
    assert not write_text_once(path, "two")
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_of_two_that_both_find_nothing_one_writes(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("the other's")
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    assert not write_text_once(path, "mine")
    assert path.read_text() == "the other's"


def test_a_disk_without_room_is_named(tmp_path):
    # Of a write that fails the system tells no file, unlike of an open.
    with pytest.raises(OSError, match="No space left on device") as caught, replacing(tmp_path / "a.txt"):
        Path("/dev/full").write_text("x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a.txt"))
    assert list(tmp_path.iterdir()) == []


def test_a_digest_sees_how_bytes_are_divided_among_files(tmp_path):
    contents = {"ab": b"ab", "c": b"c", "a": b"a", "bc": b"bc"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    digests = {content_digest([tmp_path / n for n in names]) for names in (["ab", "c"], ["a", "bc"], ["c", "ab"])}
    assert len(digests) == 3
    (tmp_path / "copy").write_bytes(b"ab")
    assert content_digest([tmp_path / "copy"]) == content_digest([tmp_path / "ab"])
