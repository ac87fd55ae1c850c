"""Files that are either whole or not there."""

import pytest

from weakpan.files import remove_temporaries, replacing, write_bytes_atomically, write_text_atomically


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
